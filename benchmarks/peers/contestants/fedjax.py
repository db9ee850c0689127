"""FedJAX's federated_averaging as its examples call it."""

import fedjax
import jax
import jax.numpy as jnp
import numpy as np
from fedjax.algorithms import fed_avg

from ..jax_network import apply
from ..work import Gate, given

work = given()
gate = Gate()


def loss(batch, logits):
    log_shares = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(log_shares, batch["y"][:, None], 1)[:, 0]


model = fedjax.Model(
    init=lambda rng: None,
    apply_for_train=lambda weights, batch, rng: apply(work.model, weights, batch["x"]),
    apply_for_eval=lambda weights, batch: apply(work.model, weights, batch["x"]),
    train_loss=loss,
    eval_metrics={},
)
optimizers = fedjax.optimizers
batches = fedjax.ShuffleRepeatBatchHParams(
    batch_size=work.batch, num_epochs=1, drop_remainder=False, seed=0, skip_shuffle=True
)
algorithm = fed_avg.federated_averaging(
    fedjax.model_grad(model), optimizers.sgd(work.rate), optimizers.sgd(1.0), batches
)
data = {client: {"x": x, "y": y} for client, (x, y) in enumerate(work.clients)}
sampler = fedjax.client_samplers.UniformGetClientSampler(
    fedjax.InMemoryFederatedData(data), len(data), seed=0
)
state = algorithm.init({name: jnp.asarray(w) for name, w in work.weights.items()})
while True:
    gate.begin()
    state, _ = algorithm.apply(state, sampler.sample())
    jax.block_until_ready(state.params)
    gate.end(lambda found=state.params: {name: np.asarray(w) for name, w in found.items()})
