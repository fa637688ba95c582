/* What all texts of this folder begin with. */

typedef unsigned long long u64;

#define EACH(k, count)                                                                                                 \
    for (u64 k = blockIdx.x * (u64)blockDim.x + threadIdx.x; k < (count); k += gridDim.x * (u64)blockDim.x)

/* Within one block: what each of its threads does between two barriers stands behind THREADS (`kernels/cuda`). */
#define OF_BLOCK(k, count) for (u64 k = threadIdx.x; k < (count); k += blockDim.x)

#ifndef EMULATED
#define THREADS
#define BARRIER __syncthreads()
#endif

/* Put two numbers in each other's places. */
template <class T> static __device__ __forceinline__ void exchange(T &a, T &b)
{
    const T kept = a;
    a = b;
    b = kept;
}
