/* Types, and whole numbers of several words. Compile with --fmad=false: where products and sums are rounded once for
   both, the text says fma. */

#ifndef EMULATED
#define INLINE static __device__ __forceinline__
#define RARE static __device__ __noinline__
#define TABLE static __device__ const
#define THREADS
#define BARRIER __syncthreads()

/* For flags that several threads may raise. */
template <class T, class U> static __device__ __forceinline__ void RELAXED_STORE(T *place, U number)
{
    *(volatile T *)place = (T)number;
}
#endif

typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#define INFINITE __longlong_as_double(0x7ff0000000000000ll)
#define NOT_A_NUMBER __longlong_as_double(0x7ff8000000000000ll)
