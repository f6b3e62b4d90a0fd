"""Packaging of mmdpt; the tested versions are in requirements/constraints.txt."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent

# What OpenMMLab's tools look for in an installed package, under <package>/.mim.
MIM = ('configs', 'tools', 'model-index.yml')

APP = ['gradio>=6', 'trimesh']
DOCS = ['furo', 'myst-nb', 'nbclient', 'sphinx']
MESH = ['trimesh']
ONNX = ['onnx', 'onnxruntime', 'onnxscript']
OPENVINO = ['openvino', *ONNX]
PEERS = ['segmentation-models-pytorch', 'transformers']
TENSORBOARD = ['tensorboard']
TIMM = ['timm>=1.0.31']
TOOLS = [
    *('build', 'hypothesis', 'mypy', 'pytest', 'pytest-timeout', 'pytest-xdist', 'ruff'),
    'setuptools>=77',
]


class BuildPyWithMim(build_py):
    """Copies configs, tools and the model index into the built package, not into the sources."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib, 'mmdpt', '.mim')
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        for name in MIM:
            source = ROOT / name
            if source.is_dir():
                ignore = shutil.ignore_patterns('__pycache__', '*.py[co]')
                shutil.copytree(source, mim / name, ignore=ignore)
            else:
                shutil.copy2(source, mim / name)


def read_version():
    text = (ROOT / 'mmdpt' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'$", text, re.MULTILINE).group(1)


setup(
    name='mmdpt',
    version=read_version(),
    description='Vision Transformers for Dense Prediction (DPT) for OpenMMLab',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The mmdpt authors',
    license='Apache-2.0',
    project_urls={
        'Paper': 'https://arxiv.org/abs/2103.13413',
        'Official code': 'https://github.com/isl-org/DPT',
    },
    keywords='depth estimation, semantic segmentation, vision transformer, DPT, OpenMMLab',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'License :: OSI Approved :: Apache Software License',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Image Recognition',
        'Typing :: Typed',
    ],
    python_requires='>=3.10',
    packages=find_packages(include=['mmdpt', 'mmdpt.*']),
    package_data={'mmdpt': ['py.typed']},
    entry_points={'console_scripts': ['mmdpt = mmdpt.commands.cli:main']},
    cmdclass={'build_py': BuildPyWithMim},
    zip_safe=False,
    # mmpretrain imports torchvision without declaring it; torch and torchvision must match.
    install_requires=[
        'torch>=2.4',
        'torchvision',
        'huggingface_hub',
        'numpy',
        'matplotlib',
        'av>=14',  # copies the packets of sound
        'pillow',
        'safetensors',
        'onedl-mmengine>=0.10.12',
        'onedl-mmcv>=2.3.6',
        'onedl-mmsegmentation>=1.4.2',
        'onedl-mmpretrain>=1.3.6',
    ],
    extras_require={
        'app': APP,
        'coreml': ['coremltools'],
        'docs': DOCS,
        'executorch': ['executorch'],
        'mesh': MESH,
        'int8': ['nncf', *OPENVINO],
        'onnx': ONNX,
        'openvino': OPENVINO,
        'tensorboard': TENSORBOARD,
        'tensorrt': ['tensorrt', *ONNX],
        'timm': TIMM,
        'bench': OPENVINO + PEERS + TIMM,
        'tests': TOOLS + DOCS + MESH + OPENVINO + PEERS + TENSORBOARD + TIMM,
    },
)
