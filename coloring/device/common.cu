/* What all texts of this folder begin with. */

typedef unsigned int u32;
typedef unsigned long long u64;

#define EACH(k, count)                                                                                                 \
    for (u64 k = blockIdx.x * (u64)blockDim.x + threadIdx.x; k < (count); k += gridDim.x * (u64)blockDim.x)

/* A permutation of the 32-bit numbers that looks like chance (the finalizer of MurmurHash3). */
static __device__ __forceinline__ u32 mixed(u32 x)
{
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ (x >> 16);
}

static __device__ __forceinline__ u32 priority(u32 vertex, u32 seed)
{
    return mixed(vertex ^ seed);
}

/* For places to which several threads store the same; whoever emulates a device brings its own. */
#ifndef EMULATED
template <class T> static __device__ __forceinline__ T RELAXED_LOAD(const T *place)
{
    return *(const volatile T *)place;
}

template <class T, class U> static __device__ __forceinline__ void RELAXED_STORE(T *place, U number)
{
    *(volatile T *)place = (T)number;
}
#endif

