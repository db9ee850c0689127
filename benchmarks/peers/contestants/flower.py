"""Flower's simulation engine: Ray, two actors of one CPU each, its message API and FedAvg."""

import torch
import torch.nn.functional as F
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from torch.utils.data import DataLoader, TensorDataset

from ..torch_network import Network, arrays, kept_tensors
from ..work import Gate, given

FOREVER = 10**6
client_app, server_app = ClientApp(), ServerApp()


@client_app.train()
def train(message, context):
    work, data = kept_tensors()
    net, rows = Network(work), TensorDataset(*data[context.node_config["partition-id"]])
    net.load_state_dict(message.content["arrays"].to_torch_state_dict())
    optimizer = torch.optim.SGD(net.parameters(), work.rate)
    for x, y in DataLoader(rows, work.batch):
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
    metrics = MetricRecord({"num-examples": len(rows)})
    content = {"arrays": ArrayRecord(net.state_dict()), "metrics": metrics}
    return Message(content=RecordDict(content), reply_to=message)


@server_app.main()
def main(grid, context):
    gate, clients = Gate(), len(given().clients)

    class Rounds(FedAvg):
        def configure_train(self, server_round, record, config, grid):
            if server_round > 1:
                gate.end(lambda: arrays(record.to_torch_state_dict()))
            gate.begin()
            return super().configure_train(server_round, record, config, grid)

    chosen = {"fraction_train": 1.0, "fraction_evaluate": 0.0}
    strategy = Rounds(**chosen, min_train_nodes=clients, min_available_nodes=clients)
    begin = ArrayRecord(Network(given()).state_dict())
    settings = ConfigRecord({"lr": given().rate})
    strategy.start(grid, begin, num_rounds=FOREVER, train_config=settings)


if __name__ == "__main__":
    resources = {"client_resources": {"num_cpus": 1.0, "num_gpus": 0.0}}
    run_simulation(server_app, client_app, len(given().clients), backend_config=resources)
