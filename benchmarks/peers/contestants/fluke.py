"""fluke's FedAVG, its evaluation off; clients one after another, two threads."""

from fluke import DDict, FlukeENV
from fluke.algorithms.fedavg import FedAVG
from fluke.data import FastDataLoader
from fluke.evaluation import ClassificationEval

from ..torch_network import Network, tensors
from ..work import Gate, given

FOREVER = 10**6
work = given()
classes = 1 + max(int(y.max()) for _, y in work.clients)
gate = Gate()


class Clients:
    def assign(self, n_clients, batch_size):
        options = {"num_labels": classes, "shuffle": False, "skip_singleton": False}
        loaders = [FastDataLoader(*c, batch_size=batch_size, **options) for c in tensors(work)]
        return (loaders, [None] * n_clients), None


class Rounds:
    def start_round(self, round, global_model):
        gate.begin()

    def end_round(self, round):
        gate.end(algorithm.server.model.arrays)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


environment = FlukeENV()
environment.set_seed(0)
off = {"pre_fit": False, "post_fit": False, "server": False, "locals": False}
environment.set_eval_cfg(task="classification", eval_every=FOREVER, **off)
environment.set_evaluator(ClassificationEval(eval_every=FOREVER, n_classes=classes))
client = DDict(
    batch_size=work.batch,
    local_epochs=1,
    loss="CrossEntropyLoss",
    optimizer=DDict(name="SGD", lr=work.rate),
    scheduler=DDict(name="StepLR", step_size=FOREVER, gamma=1.0),
)
server = DDict(weighted=True, lr=1.0)
hyperparameters = DDict(client=client, server=server, model=Network(work))
algorithm = FedAVG(len(work.clients), Clients(), hyperparameters)
algorithm.attach(Rounds())
algorithm.run(FOREVER, 1.0)
