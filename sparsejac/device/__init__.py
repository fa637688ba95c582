"""Jacobians of functions on a GPU: the same plans, pattern, strategies and guards; kernels as CUDA, arrays of CuPy.

f is followed on the host, once. What the engine of its Program would run on the CPU is recorded
(`kernels.cuda.Recorder`), printed as CUDA (`kernels.cuda.print_module`) and compiled by CuPy; tables lie on the device
from then on. Nothing here imports CuPy before an array on a device has come.
"""
