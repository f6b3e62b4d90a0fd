"""Draw over an image which patches a pixel, or the readout token, attends to, layer by layer."""

import argparse

from mmdpt.commands.tool import report_input_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file, or the name of one of mmdpt')
    parser.add_argument('checkpoint', help='checkpoint file or address')
    parser.add_argument('image')
    parser.add_argument(
        '--layers',
        nargs='+',
        type=int,
        metavar='N',
        help='layers of the encoder, 0-based; default: the last of each quarter',
    )
    parser.add_argument(
        '--query',
        nargs='+',
        metavar='X,Y',
        help="pixels of the image, or 'readout'; default: its first and its last pixel",
    )
    parser.add_argument('--head', type=int, help='one head, 0-based; default: the mean over heads')
    parser.add_argument('--out', default='work_dirs/attention.png', help='picture')
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    from PIL import Image

    from mmdpt.apis import init_model
    from mmdpt.inference.attention_maps import attention_panel, parse_query, read_attention
    from mmdpt.inference.images import read_image
    from mmdpt.visualization.picture_files import picture_path

    queries = [parse_query(text) for text in args.query] if args.query else None
    image = read_image(args.image)
    model = init_model(args.config, args.checkpoint)
    found = read_attention(model, image, args.layers, queries, args.head, args.image)
    with picture_path(args.out, ('.png', '.jpg', '.webp')) as path:
        Image.fromarray(attention_panel(image, found)).save(path)
    print(args.out)


if __name__ == '__main__':
    main()
