"""What a plan may say, as a JSON Schema; flag names are checked against the binaries later."""

from typing import Any

PRETRAINED = "pretrained:"
# Flags that may name a pre-training of the plan, and the file of it that each reads.
PRETRAINED_FILES = {"start": "start.ckpt", "exclude_clients": "start.ckpt.json"}

_FLAGS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
_NAMED_FLAGS: dict[str, Any] = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": _FLAGS,
}
_TASK: dict[str, Any] = {
    "type": "object",
    "required": ["task", "starts"],
    "additionalProperties": False,
    "properties": {
        "task": {"type": "string"},
        "dataset": _FLAGS,
        "partitions": _NAMED_FLAGS,
        "settings": _FLAGS,
        "starts": _NAMED_FLAGS,
        "pretrain": _NAMED_FLAGS,
        "rates": _NAMED_FLAGS,
    },
}
_TUNING: dict[str, Any] = {
    "type": "object",
    "required": ["rates", "trials", "rounds"],
    "additionalProperties": False,
    "properties": {
        "search": {"enum": ["grid", "random"]},
        "rates": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "number", "exclusiveMinimum": 0},
            },
        },
        "trials": {"type": "integer", "minimum": 1},
        "rounds": {"type": "integer", "minimum": 1},
        "halvings": {"type": "integer", "minimum": 0},
        "seed": {"type": "integer"},
        "settings": _FLAGS,
    },
}

PLAN_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name", "title", "question", "tasks", "algorithms"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"},
        "title": {"type": "string"},
        "question": {"type": "string"},
        "origin": {"type": "string"},
        "reductions": {"type": "array", "items": {"type": "string"}},
        "settings": _FLAGS,
        "tasks": {"type": "object", "minProperties": 1, "additionalProperties": _TASK},
        "algorithms": _NAMED_FLAGS,
        "sweep": {
            "type": "object",
            "additionalProperties": _NAMED_FLAGS,
        },
        "seeds": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "integer"},
        },
        "tuning": _TUNING,
        "analyze": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["settings"],
                "additionalProperties": False,
                "properties": {
                    "of": {"enum": ["start", "run"]},
                    "tasks": {"type": "array", "items": {"type": "string"}},
                    "algorithms": {"type": "array", "items": {"type": "string"}},
                    "beside": {"type": "string"},
                    "settings": _FLAGS,
                },
            },
        },
        "sections": {"type": "array", "items": {"type": "string"}},
        "claims": {"type": "array", "items": {"type": "string"}},
        "budget": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "minutes": {"type": "number", "exclusiveMinimum": 0},
                "parallel": {"type": "integer", "minimum": 0},
                "retries": {"type": "integer", "minimum": 0},
            },
        },
    },
}
