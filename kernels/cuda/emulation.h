/* What CUDA C has and C++ has not, for threads that run one after the other. Put before a printed source.

   A kernel is called once for each thread, block by block. Where it has barriers, what stands between two of them is
   marked by THREADS, and is a loop over all threads of the block: such a kernel is called once for each block.

   The order of blocks, and of the threads of a block, is an argument: nothing may depend on it. CHECKED is for
   `racecheck.cpp`, which is told of each load and store by the compiler. */

#define EMULATED 1

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

/* What sources call of <cmath>, which by itself takes the compiler longer than most of them do. */
extern "C" {
double fabs(double), sqrt(double), cbrt(double), floor(double), ceil(double), trunc(double), rint(double);
double exp(double), exp2(double), expm1(double), log(double), log2(double), log10(double), log1p(double);
double sin(double), cos(double), tan(double), sinh(double), cosh(double), tanh(double), erf(double), erfc(double);
double asin(double), acos(double), atan(double), asinh(double), acosh(double), atanh(double);
double atan2(double, double), copysign(double, double), fmod(double, double), hypot(double, double);
double fma(double, double, double);
}

struct Emulated3 {
    unsigned int x, y, z;
};
#ifdef CHECKED
extern "C" {
extern Emulated3 gridDim, blockDim, blockIdx, threadIdx;
extern unsigned int emulated_epoch;
void emulated_relaxed(const void *place, unsigned int size, int writes);
}
#define UNSEEN __attribute__((no_sanitize("thread")))
#define SHARED_SECTION __attribute__((section("emulated_shared")))
#define BARRIER ((void)++emulated_epoch)
#else
static Emulated3 gridDim = {1, 1, 1}, blockDim = {1, 1, 1}, blockIdx = {0, 0, 0}, threadIdx = {0, 0, 0};
#define emulated_relaxed(place, size, writes) ((void)0)
#define UNSEEN
#define SHARED_SECTION
#define BARRIER ((void)0)
#endif

/* Numbers 0 ... count - 1 in some order: 0 is rising, 1 is falling, others jump. */
struct EmulatedOrder {
    std::uint64_t count, step, start;

    UNSEEN EmulatedOrder(unsigned int length, unsigned int order) : count(length), step(1), start(0)
    {
        if (order && length) {
            step = order == 1 ? length - 1 : (order | 1u) % length + 1;
            start = order == 1 ? length - 1 : order % length;
            while (common_divisor(step, count) != 1)
                ++step;
        }
    }

    UNSEEN static std::uint64_t common_divisor(std::uint64_t a, std::uint64_t b)
    {
        return b ? common_divisor(b, a % b) : a;
    }

    UNSEEN unsigned int operator[](unsigned int k) const
    {
        return (unsigned int)((start + k * step) % count);
    }
};

static EmulatedOrder emulated_threads(1, 0);
static unsigned int emulated_next = 0;
static bool emulated_block = false;

UNSEEN static inline void emulated_begin()
{
    emulated_block = true;
    emulated_next = 0;
}

UNSEEN static inline bool emulated_more()
{
    if (emulated_next >= blockDim.x)
        return false;
    threadIdx.x = emulated_threads[emulated_next++];
    return true;
}

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__
#define __restrict__ __restrict
#define __shared__ static SHARED_SECTION
#define __launch_bounds__(...)
#define INLINE static inline
#define RARE static __attribute__((noinline))
#define TABLE static const
#define THREADS for (emulated_begin(); emulated_more();)

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

/* Threads run one after the other, so that what is atomic on a device is a plain read and write. */
template <class T> UNSEEN static inline T emulated_exchange(T *place, T number)
{
    const T before = *place;
    emulated_relaxed(place, sizeof(T), 1);
    *place = number;
    return before;
}

template <class T> UNSEEN static inline T RELAXED_LOAD(const T *place)
{
    emulated_relaxed(place, sizeof(T), 0);
    return *place;
}

template <class T, class U> UNSEEN static inline void RELAXED_STORE(T *place, U number)
{
    emulated_exchange(place, T(number));
}

#define ATOMIC(name, result)                                                                                           \
    template <class T, class U> UNSEEN static inline T name(T *place, U number)                                        \
    {                                                                                                                  \
        return emulated_exchange(place, T(result));                                                                    \
    }
ATOMIC(atomicAdd, *place + T(number))
ATOMIC(atomicSub, *place - T(number))
ATOMIC(atomicOr, *place | T(number))
ATOMIC(atomicAnd, *place & T(number))
ATOMIC(atomicExch, number)
ATOMIC(atomicMin, T(number) < *place ? T(number) : *place)
ATOMIC(atomicMax, T(number) > *place ? T(number) : *place)

template <class T, class U, class V> UNSEEN static inline T atomicCAS(T *place, U expected, V number)
{
    return emulated_exchange(place, *place == T(expected) ? T(number) : *place);
}

template <class... A, std::size_t... I>
UNSEEN static void emulated_call(void (*kernel)(A...), void **arguments, std::index_sequence<I...>)
{
    kernel(*static_cast<std::remove_const_t<std::remove_reference_t<A>> *>(arguments[I])...);
}

/* The arguments are passed as by cuLaunchKernel: an address for each. */
template <class... A>
UNSEEN static void emulated_launch(void (*kernel)(A...), void **arguments, unsigned int blocks, unsigned int items,
                                   unsigned int threads, unsigned int order)
{
    const EmulatedOrder places(blocks, order), points(items, order);
    gridDim = {blocks, items, 1};
    blockDim = {threads, 1, 1};
    emulated_threads = EmulatedOrder(threads, order);
    for (unsigned int point = 0; point < items; ++point)
        for (unsigned int block = 0; block < blocks; ++block) {
            blockIdx = {places[block], points[point], 0};
            BARRIER;
            emulated_block = false;
            for (unsigned int t = 0; t < threads && !emulated_block; ++t) {
                threadIdx.x = emulated_threads[t];
                emulated_call(kernel, arguments, std::index_sequence_for<A...>{});
            }
        }
}

#define EMULATE(name)                                                                                                  \
    extern "C" void emulate_##name(void **arguments, unsigned int blocks, unsigned int items, unsigned int threads,    \
                                   unsigned int order)                                                                 \
    {                                                                                                                  \
        emulated_launch(name, arguments, blocks, items, threads, order);                                               \
    }
