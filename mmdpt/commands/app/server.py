"""The page's layout, and the server that shows it."""

import functools
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from mmdpt.errors import InputError
from mmdpt.inference.inferencer import DPTInferencer
from mmdpt.inference.sources import GREATEST_DOWNLOAD

from ..prediction.outputs import PICTURES
from .page import KEPT, Page, Shown, render_examples

SESSIONS = 16
"""Number of browser windows whose predictions are kept."""
NO_PICTURE = 'Drop a picture, take one with the camera, or choose an example.'


def build(gr: ModuleType, page: Page, examples: Sequence[str]) -> Any:
    """Lay out the page, a ``gradio.Blocks``."""

    def told(function: Callable) -> Callable:
        @functools.wraps(function)
        def run(*args: Any) -> Any:
            try:
                return function(*args)
            except InputError as error:
                raise gr.Error(str(error), print_exception=False) from error

        return run

    def drawn(shown: Shown | None) -> list:
        """Give the values of ``everything``."""
        if shown is None:
            return [None, NO_PICTURE, None, None, None, '', [], None]
        mesh, why_not = page.mesh(shown)
        said = f'{page.camera(shown)}. {why_not}'
        values = said, page.value(shown), page.depth_picture(shown), page.masks(shown), mesh
        return [shown, *values, [*shown.points], None]

    @told
    def predict(path: str | None, field_of_view: float) -> list:
        return drawn(page.predict(path, field_of_view) if path else None)

    def click(shown: Shown | None, event: gr.SelectData) -> tuple:  # type: ignore[name-defined]
        if shown is not None:
            column, row = map(int, event.index)
            height, width = shown.prediction.image.shape[:2]
            if 0 <= column < width and 0 <= row < height:  # not on the colour bar
                shown = shown._replace(pixel=(column, row))
                return shown, page.value(shown), page.depth_picture(shown)
        return gr.skip(), gr.skip(), gr.skip()

    @told
    def add(shown: Shown | None, metres: float | None) -> list:
        if shown is None:
            raise InputError('there is no picture yet')
        return drawn(page.add_point(shown, metres))

    def clear(shown: Shown | None) -> list:
        return drawn(shown and Shown(shown.predicted, shown.predicted, (), shown.pixel))

    @told
    def write(shown: Shown | None, kinds: list[str]) -> list[str]:
        if shown is None:
            raise InputError('there is no picture yet')
        return page.write(shown, kinds)

    with gr.Blocks(analytics_enabled=False, title='mmdpt', delete_cache=(600, KEPT)) as blocks:
        state = gr.State()
        with gr.Row():
            with gr.Column(min_width=280):
                picture = gr.Image(
                    type='filepath', image_mode=None, label='Picture', buttons=['fullscreen']
                )
                # else Gradio decodes what it gets by itself, of any format and size
                picture.preprocess = lambda payload: payload and payload.path
                gr.Examples([[path] for path in examples], picture, label='Rendered examples')
                said = gr.Markdown(NO_PICTURE)
            with gr.Column(min_width=280, visible=page.has_map):
                depth = gr.Image(
                    label=f'{"Depth" if page.has_depth else "Normals"}: click to read it',
                    elem_id='depth',
                    format='jpeg',
                    interactive=False,
                    buttons=['download', 'fullscreen'],
                )
                value = gr.Markdown(elem_id='value')
            labels = gr.AnnotatedImage(
                label='Labels',
                min_width=280,
                visible=page.inferencer.segments,
                color_map=page.colours,
            )
        with gr.Row(visible=page.has_depth):
            mesh = gr.Model3D(label='Mesh: turn it by hand', camera_position=(90, 80, None))
            with gr.Column():
                view = gr.Slider(
                    0,
                    150,
                    0,
                    label='Field of view of the whole width [degrees]',
                    info="0: that of the picture's EXIF",
                )
                metres = gr.Number(
                    None,
                    label='Known depth at the clicked pixel [m]',
                    info='Two known points or more turn any map into metres.',
                )
                with gr.Row():
                    add_button = gr.Button('Add the known point')
                    clear_button = gr.Button('Clear the points')
                points = gr.Dataframe(
                    headers=['column', 'row', 'depth [m]'], label='Known points', interactive=False
                )
        kinds = gr.CheckboxGroup(page.kinds, value=list(PICTURES), label='Files to download')
        write_button = gr.Button('Write the files')
        files = gr.Files(label='Files', interactive=False, height=160, elem_id='files')

        everything = [state, said, value, depth, labels, mesh, points, files]
        private = dict(api_visibility='private')
        together = dict(show_progress_on=[depth, labels, mesh], concurrency_id='model', **private)
        gr.on([picture.change, view.release], predict, [picture, view], everything, **together)
        add_button.click(add, [state, metres], everything, **together)
        clear_button.click(clear, state, everything, **together)
        for image in (picture, depth):
            image.select(click, state, [state, value, depth], show_progress='hidden', **private)
        write_button.click(write, [state, kinds], files, **private)
    return blocks


@contextmanager
def _gradio() -> Iterator[tuple[ModuleType, Path]]:
    """Import Gradio, which keeps its files in a folder of its own and calls nobody."""
    with tempfile.TemporaryDirectory(prefix='mmdpt-app-') as name:
        folder = Path(name).resolve()
        for part in ('uploads', 'written', 'examples'):
            (folder / part).mkdir()
        os.environ.update(
            GRADIO_ANALYTICS_ENABLED='False',
            GRADIO_TEMP_DIR=str(folder / 'uploads'),
            GRADIO_EXAMPLES_CACHE=str(folder / 'examples'),  # else .gradio of the working folder
        )
        try:
            import gradio
        except ImportError as error:
            raise InputError("the page needs Gradio: pip install 'mmdpt[app]'") from error
        yield gradio, folder


def serve(
    load: Callable[[], DPTInferencer], host: str = '127.0.0.1', port: int | None = None
) -> None:
    """Show the page until Ctrl-C, and print its address.

    Args:
        load: Loads the model.
        host: Address to listen at; '0.0.0.0': of every network that this machine is in.
        port: Port; None: the first free one from 7860 on.

    Raises:
        InputError: If Gradio or trimesh is not installed, the model cannot be loaded, or the port
            is taken.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the folder is removed then, too
    with _gradio() as (gr, folder):
        page = Page(load(), folder / 'written')
        blocks = build(gr, page, render_examples(folder / 'examples'))
        try:
            _, address, _ = blocks.launch(
                server_name=host,
                server_port=port,
                max_file_size=GREATEST_DOWNLOAD,
                state_session_capacity=SESSIONS,
                prevent_thread_lock=True,
                quiet=True,
                share=False,
                ssr_mode=False,
                mcp_server=False,
                run_history=False,
                enable_monitoring=False,
                footer_links=[],
            )
        except OSError as error:
            raise InputError(f'the page cannot listen at {host}, port {port}: {error}') from error
        print(f'{address}\nOpen this address in a browser; Ctrl-C ends the page.', flush=True)
        blocks.block_thread()
