"""The least that the same work costs: one `tf.function`, two clients in flight of one thread."""

import concurrent.futures
import queue

import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(1)

from benchmarks.peers import cases, work  # noqa: E402

IN_FLIGHT = 2
given, gate = work.given(), work.Gate()
loss_of = tf.nn.sparse_softmax_cross_entropy_with_logits


def local_training():
    model = cases.build(given.model)
    variables = model.trainable_variables
    specs = [tf.TensorSpec(v.shape) for v in variables]

    @tf.function(input_signature=[specs, *cases.MODELS[given.model].spec()])
    def train(weights, x, y):
        for variable, weight in zip(variables, weights, strict=True):
            variable.assign(weight)
        count = tf.shape(y)[0]
        for first in tf.range(0, count, given.batch):
            rows = slice(first, first + given.batch)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(loss_of(y[rows], model(x[rows], training=True)))
            for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
                variable.assign_sub(given.rate * tf.convert_to_tensor(gradient))
        return [tf.cast(count, tf.float32) * variable for variable in variables]

    return train


def one(client):
    train = free.get()
    try:
        return train(weights, *map(tf.constant, client))
    finally:
        free.put(train)


free = queue.SimpleQueue()
for _ in range(IN_FLIGHT):
    free.put(local_training())
add = tf.function(lambda total, more: [t + m for t, m in zip(total, more, strict=True)])
total_rows = float(sum(len(y) for _, y in given.clients))
weights = list(map(tf.constant, given.weights.values()))
pool = concurrent.futures.ThreadPoolExecutor(IN_FLIGHT)
while True:
    gate.begin()
    total = None
    for trained in pool.map(one, given.clients):
        total = trained if total is None else add(total, trained)
    weights = [part / total_rows for part in total]
    found = [w.numpy() for w in weights]
    gate.end(lambda found=found: dict(zip(given.weights, found, strict=True)))
