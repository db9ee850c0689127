"""BlazeFL's FedAvg by its thread pool: two clients in flight of one thread each."""

import torch
from blazefl.contrib import FedAvgBaseServerHandler, FedAvgThreadPoolClientTrainer
from torch.utils.data import DataLoader, TensorDataset

from ..torch_network import Network, tensors
from ..work import Gate, given

IN_FLIGHT, FOREVER = 2, 10**6
torch.set_num_threads(1)
work = given()
gate = Gate()
data = tensors(work)


class Models:
    def select_model(self, name):
        return Network(work)


class Clients:
    def get_dataset(self, type_, cid):
        return TensorDataset(*data[cid])

    def get_dataloader(self, type_, cid, batch_size=None, generator=None):
        return DataLoader(self.get_dataset(type_, cid), batch_size, generator=generator)


common = {"model_selector": Models(), "model_name": work.model, "dataset": Clients()}
common |= {"device": "cpu", "num_clients": len(data), "batch_size": work.batch, "seed": 0}
server = FedAvgBaseServerHandler(**common, global_round=FOREVER, sample_ratio=1.0)
trainer = FedAvgThreadPoolClientTrainer(**common, epochs=1, lr=work.rate, num_parallels=IN_FLIGHT)
while True:
    gate.begin()
    chosen = server.sample_clients()
    trainer.local_process(server.downlink_package(), chosen)
    for package in trainer.uplink_package():
        server.load(package)
    gate.end(server.model.arrays)
