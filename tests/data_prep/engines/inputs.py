"""Small inputs of the shapes that engines are for, in files of over a megabyte: a task each."""

import json
import random
from pathlib import Path

FILES = 3
_WORDS = [f"word{number}" for number in range(400)]


def femnist(folder: Path) -> list[str]:
    """LEAF's JSON: 12 writers with 28 x 28 images."""
    draw = random.Random(0)
    for number in range(FILES):
        users = {}
        for writer in range(4):
            images = [
                [draw.randrange(256) / 255 if draw.random() < 0.2 else 1.0 for _ in range(784)]
                for _ in range(75)
            ]
            labels = [draw.randrange(62) for _ in images]
            users[f"f{number}{writer:03d}_1"] = {"x": images, "y": labels}
        counts = [len(user["y"]) for user in users.values()]
        text = json.dumps({"users": list(users), "num_samples": counts, "user_data": users})
        (folder / f"all_data_{number}.json").write_text(text)
    return ["--source=femnist_leaf", f"--input={folder}", "--split=by_example", "--shards=5"]


def reddit(folder: Path) -> list[str]:
    """A dump of comments, some of which are left out."""
    draw = random.Random(1)
    for number in range(FILES):
        comments = [
            {
                "author": f"user{draw.randrange(120)}",
                "body": "[deleted]" if line % 50 == 0 else " ".join(draw.choices(_WORDS, k=30)),
                "created_utc": 1_500_000_000 + 7 * line,
                "id": f"d{number}{line:05x}",
                "subreddit": "test",
            }
            for line in range(3600)
        ]
        text = "".join(json.dumps(comment) + "\n" for comment in comments)
        (folder / f"RC_2017-{number + 1:02d}").write_text(text)
    return [
        "--source=reddit_pushshift",
        f"--input={folder}",
        "--split=by_order",
        "--shards=4",
        "--vocabulary=count:100",
        "--min_examples=85",
    ]


def dirichlet(folder: Path) -> list[str]:
    """Labelled rows without clients, which are drawn."""
    draw = random.Random(2)
    for number in range(FILES):
        rows = [
            f"{line},{draw.randrange(10)},{' '.join(draw.choices(_WORDS, k=60))}"
            for line in range(2700)
        ]
        (folder / f"{number}.csv").write_text("\n".join(["when,label,text", *rows]) + "\n")
    return [
        "--source=csv",
        f"--input={folder}",
        "--source_options=client=,order=when,label=label,text=text",
        "--partition=dirichlet",
        "--num_clients=20",
        "--alpha=0.3",
        "--shards=3",
    ]


INPUTS = {"FEMNIST-shaped": femnist, "Reddit-shaped": reddit, "Dirichlet": dirichlet}
