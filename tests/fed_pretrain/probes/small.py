"""Small models over real digits of uneven clients, with the dense matrices they are held to."""

import collections
import functools
from types import SimpleNamespace

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import make_payload, spec_of
from fed_pretrain.curvature import loss_operators
from fed_pretrain.curvature.loss_operators import CurvatureOperator, curvature_computation
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.models import attention, norm, recurrent
from fed_pretrain.models.recurrent import TokenEmbedding
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.tasks.objective import CrossEntropy, keras_loss
from groundwork import embedded_packages

SIZES = {"ada": 5, "ben": 11, "cy": 1}
BATCH = 4
layers = tf.keras.layers


@functools.cache
def digits():
    table = np.loadtxt(
        embedded_packages.path("digits"), delimiter=",", max_rows=sum(SIZES.values())
    )
    return table[:, :64].astype(np.float32).reshape(-1, 8, 8, 1) / 16, table[:, 64].astype(np.int32)


def text():
    """Token ids in place of pixels; every third position is padding."""
    images, _ = digits()
    tokens = (images.reshape(-1, 64)[:, 20:27] * 6).astype(np.int32)
    labels = np.roll(tokens, -1, axis=1)
    labels[:, ::3] = -1
    return tokens, labels


def task_of(build, x, y, objective=None):
    """What the curvature asks of a task."""
    objective = objective or CrossEntropy()
    rows = collections.OrderedDict(
        x=tf.TensorSpec([None, *x.shape[1:]], x.dtype),
        y=tf.TensorSpec([None, *y.shape[1:]], y.dtype),
    )

    def model_fn(build_model):
        return lambda: tff.learning.models.from_keras_model(
            build_model(), loss=keras_loss(objective), input_spec=rows, metrics=[]
        )

    def payload_spec(batch):
        return spec_of(rows["x"], rows["y"], batch)

    return SimpleNamespace(
        statistics=objective.statistics, model_fn=model_fn, payload_spec=payload_spec, build=build
    )


def clients(x, y, batch=BATCH, sizes=SIZES):
    found, first = [], 0
    for name, size in sizes.items():
        rows = slice(first, first + size)
        work = LocalWork(batch, shuffle=False)
        payload = make_payload(x[rows], y[rows], work, 0, 0, name)
        found.append(ClientInput(name, functools.partial(dict, payload)))  # picklable
        first += size
    return found


def weights_of(build):
    """Fixed weights away from any symmetric start."""
    model = build()
    generator = np.random.default_rng(3)

    def drawn(variable):
        return (0.4 * generator.standard_normal(variable.shape)).astype(np.float32)

    return ModelArrays([drawn(v) for v in model.trainable_variables], [])


def operator(executor, build, x, y, kind="hessian", batch=BATCH, positions=None, objective=None):
    task = task_of(build, x, y, objective)
    weights = weights_of(build)
    if positions is None:
        positions = range(len(weights.trainable))
    computation = curvature_computation(task, build, positions, loss_operators.BY_KIND[kind])
    return CurvatureOperator(executor, computation, weights, clients(x, y, batch), positions)


def dense_of(found):
    """The operator's matrix, column by column."""
    return np.stack([found.matvec(column) for column in np.eye(found.size)], axis=1)


def autograd_hessian(build, x, y):
    """The Hessian of the pooled mean loss by TensorFlow's own Jacobian of the gradient."""
    model = build()
    for variable, value in zip(model.trainable_variables, weights_of(build).trainable, strict=True):
        variable.assign(value)
    variables = model.trainable_variables

    @tf.function
    def rows():
        with tf.GradientTape(persistent=True) as outer:
            with tf.GradientTape() as inner:
                loss = CrossEntropy().loss(tf.constant(y), model(tf.constant(x), training=False))
            gradients = inner.gradient(loss, variables)
            flat = tf.concat([tf.reshape(tf.convert_to_tensor(g), [-1]) for g in gradients], 0)
        return outer.jacobian(
            flat, variables, experimental_use_pfor=False, unconnected_gradients="zero"
        )

    return np.concatenate([np.reshape(part, (len(part), -1)) for part in rows()], axis=1)


def softmax_regression():
    image = tf.keras.Input([8, 8, 1])
    pooled = layers.Flatten()(layers.AveragePooling2D(4)(image))
    return tf.keras.Model(image, layers.Dense(10, name="head")(pooled))


def one_number():
    image = tf.keras.Input([8, 8, 1])
    pooled = layers.Flatten()(layers.AveragePooling2D(4)(image))
    return tf.keras.Model(image, layers.Dense(1, use_bias=False, name="head")(pooled))


def conv_and_group_norm():
    image = tf.keras.Input([8, 8, 1])
    x = layers.Conv2D(2, 3, strides=2, name="conv")(image)
    x = layers.Activation("softplus")(norm.GroupNorm(2, epsilon=1e-3)(x))
    return tf.keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def depthwise_and_pooling():
    image = tf.keras.Input([8, 8, 1])
    x = layers.Conv2D(3, 3, strides=2, activation="relu", name="conv")(image)
    x = layers.Activation("swish")(layers.DepthwiseConv2D(2, name="depthwise")(x))
    return tf.keras.Model(image, layers.Dense(10)(layers.Flatten()(layers.MaxPooling2D(2)(x))))


def lstm_on_characters():
    """Embedding and head are one tensor."""
    tokens = tf.keras.Input([7], dtype=tf.int32)
    embedding = TokenEmbedding(7, 3, name="embedding")
    x = recurrent.lstm(3, "rnn", cudnn=False)(embedding(tokens))
    return tf.keras.Model(tokens, embedding(x, reverse=True))


def attention_on_tokens():
    tokens = tf.keras.Input([7], dtype=tf.int32)
    x = attention.PositionEmbedding(7, name="positions")(TokenEmbedding(7, 4)(tokens))
    x = x + attention.SelfAttention(2, causal=True, rate=0.5)(layers.Dense(12)(x))
    return tf.keras.Model(tokens, layers.Dense(7)(norm.LayerNorm(epsilon=1e-3)(x)))
