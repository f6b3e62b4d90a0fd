"""Calculate memory and throughput of training on many GPUs; nothing here is measured on a GPU.

python benchmarks/scale_calculation.py [--share 0.4] [--link 300] [--gpus 1 8 64] ...

For P parameters, float32, AdamW, N GPUs, and bfloat16 autocast:

    memory     4 P weights + 8 P moments + 4 P buckets of gradients where N > 1 + the step
    the step   a + b x pixels: how far the peak of a forward and a backward pass is above the
               weights, gradients included; fitted to two measurements on a CPU (--measure)
    computing  operations of the pass / (share x peak)
    exchange   2 (N - 1) / N x 4 P / link, a ring's all-reduce, beside the backward pass
    update     28 P / memory rate: AdamW reads 16 and writes 12 bytes a parameter
    step       forward + max(backward, exchange) + update
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

CONFIGS = {'DPT-Base': 'dpt_vit-b16_ade20k', 'DPT-Large': 'dpt_vit-l16_ade20k'}
FLOAT32 = 4  # [bytes]
MEASURED = {
    'dpt_vit-b16_ade20k': {384: 554, 512: 797},
    'dpt_vit-l16_ade20k': {384: 1435, 512: 1721},
}
"""[MB] of a step of one image by its side [px]."""


@dataclass(frozen=True)
class Machine:
    """What a GPU and its links do.

    Attributes:
        peak: Operations a second of bfloat16 products.
        share: Part of the peak that a training step reaches.
        memory_rate: [bytes/s].
        link: Slowest one of a ring within a machine [bytes/s].
        link_between: Slowest one of a ring through several machines [bytes/s].
        per_machine: GPUs of a machine.
    """

    peak: float
    share: float
    memory_rate: float
    link: float
    link_between: float
    per_machine: int = 8

    def link_of(self, gpus: int) -> float:
        return self.link if gpus <= self.per_machine else self.link_between


@dataclass(frozen=True)
class Model:
    """What a model asks for.

    Attributes:
        parameters: Number of them.
        forward: Operations of one image's forward pass.
        backward: Operations of its backward pass.
        held: Memory of a step that does not grow with the images [bytes].
        of_image: Memory of a step for one image [bytes].
    """

    parameters: int
    forward: float
    backward: float
    held: float
    of_image: float


def memory(model: Model, gpus: int, batch: int) -> float:
    """Calculate the memory of a GPU [bytes]."""
    copies = 4 if gpus > 1 else 3
    return FLOAT32 * copies * model.parameters + model.held + batch * model.of_image


def seconds(model: Model, machine: Machine, gpus: int, batch: int) -> float:
    """Calculate the time of a training step [s]."""
    rate = machine.share * machine.peak
    forward, backward = (batch * work / rate for work in (model.forward, model.backward))
    # a ring sends (N - 1) / N of the bytes to reduce and scatter them, and as much to gather them
    exchange = 2 * (gpus - 1) / gpus * FLOAT32 * model.parameters / machine.link_of(gpus)
    update = 7 * FLOAT32 * model.parameters / machine.memory_rate
    return forward + max(backward, exchange) + update


def describe(config: str, side: int) -> Model:
    """Count parameters and operations of a config's model, fit its memory."""
    import rivals

    model = rivals.build_on_meta(config, [f'model.backbone.img_size={side}'])
    forward, backward = rivals.operations_of_step(model, side)
    (small, least), (large, most) = sorted(MEASURED[config].items())
    of_pixel = (most - least) / (large**2 - small**2) * 1e6
    return Model(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        forward=forward,
        backward=backward,
        held=most * 1e6 - of_pixel * large**2,
        of_image=of_pixel * side**2,
    )


def measure(config: str, side: int) -> float:
    """Measure the peak of a step of one image above the weights, on this machine's CPU [MB]."""
    import rivals
    import timing
    import torch

    model = rivals.build_model(config, [f'model.backbone.img_size={side}']).train()
    images = torch.randn(1, 3, side, side)
    samples = rivals.labelled_samples(side, 1, 'cpu')

    def step() -> None:
        with torch.autocast('cpu', torch.bfloat16):
            losses = model.loss(images, samples)
        rivals.sum_of_losses(losses).backward()
        model.zero_grad()

    step()
    return timing.peak_growth(step, 'cpu') * 2**20 / 1e6


def measure_all() -> None:
    """Measure every number of MEASURED in a process of its own."""
    import timing

    for config, by_side in MEASURED.items():
        for side in by_side:
            print(config, side, timing.ask_child('--one', config, side), 'MB', flush=True)


def table(
    models: dict[str, Model], machine: Machine, gpus: Sequence[int], batches: Sequence[int]
) -> str:
    """Write the table of all of them, in Markdown."""
    lines = [
        '| model | images per GPU | GPUs | batch | memory [GB] | images/s | of N x one GPU |',
        '|---|---|---|---|---|---|---|',
    ]
    for name, model in models.items():
        for batch in batches:
            for number in gpus:
                one = batch / seconds(model, machine, 1, batch)
                held = memory(model, number, batch) / 1e9
                rate = number * batch / seconds(model, machine, number, batch)
                cells = [name, batch, number, number * batch]
                cells += [f'{held:.1f}', f'{rate:,.0f}', f'{rate / (number * one):.2f}']
                lines.append('| ' + ' | '.join(map(str, cells)) + ' |')
    return '\n'.join(lines)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--gpus', nargs='+', type=int, default=[1, 8, 64])
    parser.add_argument('--batches', nargs='+', type=int, default=[2, 4], help='images per GPU')
    parser.add_argument('--side', type=int, default=512, help='of the images [px]')
    parser.add_argument('--peak', type=float, default=989, help="[TFLOP/s], an H200's in bfloat16")
    parser.add_argument('--share', type=float, default=0.4, help='of the peak, assumed')
    parser.add_argument('--memory-rate', type=float, default=4.8, help="[TB/s], an H200's")
    parser.add_argument('--link', type=float, default=300, help='within a machine [GB/s], assumed')
    parser.add_argument(
        '--link-between', type=float, default=50, help='between machines [GB/s], assumed'
    )
    parser.add_argument('--per-machine', type=int, default=8, help='GPUs of a machine')
    parser.add_argument('--measure', action='store_true', help='measure memory on this CPU instead')
    parser.add_argument('--one', nargs=2, help=argparse.SUPPRESS)  # of one child process
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.one:
        print(round(measure(args.one[0], int(args.one[1]))))
        return
    if args.measure:
        measure_all()
        return
    machine = Machine(
        peak=args.peak * 1e12,
        share=args.share,
        memory_rate=args.memory_rate * 1e12,
        link=args.link * 1e9,
        link_between=args.link_between * 1e9,
        per_machine=args.per_machine,
    )
    models = {name: describe(config, args.side) for name, config in CONFIGS.items()}
    for name, model in models.items():
        print(
            f'{name}: {model.parameters / 1e6:.0f} million parameters; {model.forward / 1e12:.2f} '
            f'and {model.backward / 1e12:.2f} TFLOP an image forward and backward; the step takes '
            f'{model.held / 1e9:.1f} GB and {model.of_image / 1e9:.1f} GB an image'
        )
    print(table(models, machine, args.gpus, args.batches))


if __name__ == '__main__':
    main()
