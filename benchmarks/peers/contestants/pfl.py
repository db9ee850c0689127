"""pfl-research: its simulated backend and FederatedAveraging, in one process of two threads."""

import torch
import torch.nn.functional as F
from pfl.aggregate.simulate import SimulatedBackend
from pfl.aggregate.weighting import WeightByDatapoints
from pfl.algorithm import FederatedAveraging, NNAlgorithmParams
from pfl.callback.base import TrainingProcessCallback
from pfl.data.dataset import Dataset
from pfl.data.federated_dataset import FederatedDataset
from pfl.data.sampling import get_user_sampler
from pfl.hyperparam import NNEvalHyperParams, NNTrainHyperParams
from pfl.metrics import Metrics
from pfl.model.pytorch import PyTorchModel

from ..torch_network import Network, tensors
from ..work import Gate, given

FOREVER = 10**6
work = given()
gate = Gate()
data = tensors(work)


class Model(Network):
    def loss(self, x, y, is_eval=False):
        return F.cross_entropy(self(x), y)

    def metrics(self, x, y):
        return {}


class Rounds(TrainingProcessCallback):
    def after_central_iteration(self, aggregate, model, *, central_iteration):
        gate.end(net.arrays)
        gate.begin()
        return False, Metrics()


net = Model(work)
sampler = get_user_sampler("minimize_reuse", list(range(len(data))))
dataset = FederatedDataset(lambda client: Dataset(raw_data=list(data[client])), sampler)
backend = SimulatedBackend(dataset, None, [WeightByDatapoints()])
gate.begin()
FederatedAveraging().run(
    algorithm_params=NNAlgorithmParams(
        central_num_iterations=FOREVER,
        evaluation_frequency=FOREVER,
        train_cohort_size=len(data),
        val_cohort_size=0,
    ),
    backend=backend,
    model=PyTorchModel(net, torch.optim.SGD, torch.optim.SGD(net.parameters(), 1.0)),
    model_train_params=NNTrainHyperParams(
        local_learning_rate=work.rate, local_num_epochs=1, local_batch_size=work.batch
    ),
    model_eval_params=NNEvalHyperParams(local_batch_size=work.batch),
    callbacks=[Rounds()],
)
