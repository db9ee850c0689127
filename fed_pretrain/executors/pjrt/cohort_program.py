"""A lowered client step as a JAX program over many clients: one launch, sums left on the device.

    for i in range(count):  carry, summed[i], kept[i] = step(carry, own[i], shared)

Runs in the worker's environment, whose JAX is pinned: it is the only module that takes private
parts of JAX.
"""

import dataclasses
import re
from collections.abc import Sequence

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jax._src.interpreters import mlir
from jax._src.lib.mlir import ir
from jax.extend.core import Primitive
from jaxlib import _jax
from jaxlib.mlir.dialects import func

from groundwork.untyped import Json, Leaf, Nested

_DTYPES = {
    "f16": np.float16, "f32": np.float32, "f64": np.float64, "i1": np.bool_,
    "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64,
    "ui8": np.uint8, "ui16": np.uint16, "ui32": np.uint32, "ui64": np.uint64,
}  # fmt: skip
_PRODUCTS = ("stablehlo.dot_general", "stablehlo.dot", "stablehlo.convolution")


@dataclasses.dataclass(frozen=True)
class Module:
    """StableHLO text and what it takes and gives."""

    text: str
    inputs: list[jax.ShapeDtypeStruct]
    outputs: list[jax.ShapeDtypeStruct]


def module_of(hlo: bytes, exact: bool) -> Module:
    """`exact`: products in full float32, where devices would take fewer bits."""
    with mlir.make_ir_context():
        module = ir.Module.parse(_jax.mlir.hlo_to_stablehlo(hlo))
        _mend(module.operation, exact)
        for name in [a if isinstance(a, str) else a.name for a in module.operation.attributes]:
            if name.startswith("mhlo."):
                del module.operation.attributes[name]
        main = next(op for op in module.body.operations if op.name.value == "main")
        inputs, outputs = _forms(main.type.inputs), _forms(main.type.results)
        return Module(_named_by_order(str(module)), inputs, outputs)


def cohort_program(module: Module, counts: Json) -> Nested:
    """`(carry, sums, own stacked, shared, count) -> (carry, sums, kept stacked)`."""
    step = step_of(module)
    carries, own, shared, summed, kept = (
        counts[name] for name in ("carry", "own", "shared", "summed", "kept")
    )
    variables = [jnp.zeros(v.shape, v.dtype) for v in module.inputs[carries + own + shared :]]
    kept_forms = module.outputs[carries + summed : carries + summed + kept]

    def run(carry: Nested, sums: Nested, stacked: Nested, shared: Nested, count: Leaf) -> Nested:
        capacity = stacked[0].shape[0]

        def body(i: Leaf, values: Nested) -> Nested:
            carry, sums, kept_so_far = values
            mine = [lax.dynamic_index_in_dim(s, i, keepdims=False) for s in stacked]
            found = step(*carry, *mine, *shared, *variables)
            sums = [a + b for a, b in zip(sums, found[carries : carries + summed], strict=True)]
            new = found[carries + summed : carries + summed + kept]
            kept_now = [
                lax.dynamic_update_index_in_dim(a, b, i, 0)
                for a, b in zip(kept_so_far, new, strict=True)
            ]
            return found[:carries], sums, kept_now

        empty = [jnp.zeros((capacity, *f.shape), f.dtype) for f in kept_forms]
        return lax.fori_loop(0, count, body, (carry, sums, empty))

    return jax.jit(run, donate_argnums=(0, 1))


def sums_of_nothing(module: Module, counts: Json) -> list[jax.Array]:
    first = counts["carry"]
    return [jnp.zeros(f.shape, f.dtype) for f in module.outputs[first : first + counts["summed"]]]


def step_of(module: Module) -> Nested:
    """The module as a JAX primitive, which a loop of JAX may hold."""
    primitive = Primitive("client_step")
    primitive.multiple_results = True
    outputs = [jax.core.ShapedArray(o.shape, o.dtype) for o in module.outputs]
    primitive.def_abstract_eval(lambda *_: outputs)

    def lowering(context: Nested, *arguments: Nested) -> Sequence[Nested]:
        around = context.module_context
        inner = ir.Module.parse(module.text, context=around.context)
        main = next(op for op in inner.body.operations if op.name.value == "main")
        results = [ir.Type.parse(str(t), around.context) for t in main.type.results]
        name = mlir.merge_mlir_modules(
            around.module, "client_step", inner, dst_symtab=around.symbol_table
        )
        symbol = ir.FlatSymbolRefAttr.get(name)
        called: Sequence[Nested] = func.CallOp(results, symbol, arguments).results
        return called

    mlir.register_lowering(primitive, lowering)
    return primitive.bind


def _mend(operation: Nested, exact: bool) -> None:
    """Drops what XLA's older dialect left, and asks for exact products."""
    for region in operation.regions:
        for block in region:
            for inner in list(block.operations):
                _mend(inner.operation, exact)
                name = inner.operation.name
                if name == "mhlo.copy" or _sets_the_whole_size(inner.operation):
                    inner.operation.results[0].replace_all_uses_with(inner.operation.operands[0])
                    inner.operation.erase()
                elif exact and name in _PRODUCTS:
                    wanted = ir.Attribute.parse(
                        "[#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]"
                    )
                    inner.operation.attributes["precision_config"] = wanted


def _sets_the_whole_size(operation: Nested) -> bool:
    """TensorFlow's sort says of its result, once more, how large it is."""
    if operation.name != "stablehlo.set_dimension_size":
        return False
    array, size = operation.operands
    if not isinstance(size.owner, ir.Operation) or size.owner.name != "stablehlo.constant":
        return False
    dimension = ir.IntegerAttr(operation.attributes["dimension"]).value
    said = int(np.asarray(ir.DenseElementsAttr(size.owner.attributes["value"])).item())
    return bool(said == ir.RankedTensorType(array.type).shape[dimension])


def _named_by_order(text: str) -> str:
    """Functions by numbers: TensorFlow counts names in a process, and compiled programs are found
    again by their text."""
    text = re.sub(r"^module @\S+", "module @client_step", text)
    defined = re.findall(r"func\.func private @([\w.$]+)", text)
    names = {name: f"f{number}" for number, name in enumerate(defined)}
    return re.sub(r"@([\w.$]+)", lambda m: f"@{names.get(m[1], m[1])}", text)


def _forms(types: Nested) -> list[jax.ShapeDtypeStruct]:
    ranked = [ir.RankedTensorType(t) for t in types]
    return [jax.ShapeDtypeStruct(tuple(t.shape), _DTYPES[str(t.element_type)]) for t in ranked]
