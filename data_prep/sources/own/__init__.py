"""The files of the user: tables, TFRecords, folders of images, text, TFDS."""
