/* What CUDA C has and C++ has not, for threads that run one after the other. Put before a printed source.

   A kernel is called once for each thread, block by block. Where it has barriers, what stands between two of them is
   marked by THREADS, and is a loop over all threads of the block: such a kernel is called once for each block. */

#define EMULATED 1

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

struct Emulated3 {
    unsigned int x, y, z;
};
static Emulated3 gridDim = {1, 1, 1}, blockDim = {1, 1, 1}, blockIdx = {0, 0, 0}, threadIdx = {0, 0, 0};
static bool emulated_block = false;

static inline void emulated_begin()
{
    emulated_block = true;
    threadIdx.x = 0;
}

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__
#define __restrict__ __restrict
#define __shared__ static
#define __launch_bounds__(...)
#define INLINE static inline
#define RARE static __attribute__((noinline))
#define TABLE static const
#define THREADS for (emulated_begin(); threadIdx.x < blockDim.x; ++threadIdx.x)
#define BARRIER ((void)0)

template <class T> static inline T __ldg(const T *place)
{
    return *place;
}

static inline long long __double_as_longlong(double x)
{
    long long bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double __longlong_as_double(long long bits)
{
    double x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}

template <class T> static inline T emulated_exchange(T *place, T number)
{
    const T before = *place;
    *place = number;
    return before;
}

/* Threads run one after the other, so that what is atomic on a device is a plain read and write. */
template <class T, class U> static inline T atomicAdd(T *place, U number) { return emulated_exchange(place, T(*place + T(number))); }
template <class T, class U> static inline T atomicSub(T *place, U number) { return emulated_exchange(place, T(*place - T(number))); }
template <class T, class U> static inline T atomicOr(T *place, U number) { return emulated_exchange(place, T(*place | T(number))); }
template <class T, class U> static inline T atomicAnd(T *place, U number) { return emulated_exchange(place, T(*place & T(number))); }
template <class T, class U> static inline T atomicExch(T *place, U number) { return emulated_exchange(place, T(number)); }
template <class T, class U> static inline T atomicMin(T *place, U number) { return emulated_exchange(place, T(number) < *place ? T(number) : *place); }
template <class T, class U> static inline T atomicMax(T *place, U number) { return emulated_exchange(place, T(number) > *place ? T(number) : *place); }
template <class T, class U, class V> static inline T atomicCAS(T *place, U expected, V number) { return emulated_exchange(place, *place == T(expected) ? T(number) : *place); }

template <class... A, std::size_t... I>
static void emulated_call(void (*kernel)(A...), void **arguments, std::index_sequence<I...>)
{
    kernel(*static_cast<std::remove_const_t<std::remove_reference_t<A>> *>(arguments[I])...);
}

/* The arguments are passed as by cuLaunchKernel: an address for each. */
template <class... A>
static void emulated_launch(void (*kernel)(A...), void **arguments, unsigned int blocks, unsigned int items,
                            unsigned int threads)
{
    gridDim = {blocks, items, 1};
    blockDim = {threads, 1, 1};
    for (blockIdx.y = 0; blockIdx.y < items; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
            emulated_block = false;
            for (unsigned int t = 0; t < threads && !emulated_block; ++t) {
                threadIdx.x = t;
                emulated_call(kernel, arguments, std::index_sequence_for<A...>{});
            }
        }
}

#define EMULATE(name)                                                                                                  \
    extern "C" void emulate_##name(void **arguments, unsigned int blocks, unsigned int items, unsigned int threads)   \
    {                                                                                                                  \
        emulated_launch(name, arguments, blocks, items, threads);                                                      \
    }
