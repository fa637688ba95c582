"""Schedules, sweeps and products as CUDA C: the second printer of kernels (see `kernels.cuda.module`)."""

from __future__ import annotations

from kernels.cuda.module import Buffer as Buffer
from kernels.cuda.module import Dispatch as Dispatch
from kernels.cuda.module import Module as Module
from kernels.cuda.module import Number as Number
from kernels.cuda.module import Pointer as Pointer
from kernels.cuda.module import Run as Run
from kernels.cuda.module import Stride as Stride
from kernels.cuda.printer import print_module as print_module
from kernels.cuda.recorder import Recorder as Recorder
from kernels.cuda.runtime import Device as Device
from kernels.cuda.runtime import Runtime as Runtime
from kernels.evaluation import Evaluation as Evaluation
