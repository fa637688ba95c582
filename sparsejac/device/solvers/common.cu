/* What all texts of this folder begin with. */

typedef unsigned long long u64;

#define EACH(k, count)                                                                                                 \
    for (u64 k = blockIdx.x * (u64)blockDim.x + threadIdx.x; k < (count); k += gridDim.x * (u64)blockDim.x)
