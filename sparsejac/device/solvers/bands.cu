/* Bands by block cyclic reduction with exchanges of rows; WIDTH is the number of diagonals beside the main one.

   Columns stand in blocks of WIDTH, rows in blocks that touch two blocks of columns each, and as many rows as one block
   holds touch the first or the last block alone. Two neighbouring blocks of rows share a block of columns, which stands
   in no other row: it is eliminated from the 2 WIDTH rows by Gauss with partial pivoting, WIDTH of them go on as one
   block of rows, and so half of the blocks are left. In the end there is one block, with the rows of both ends.

   A pair is a panel of 2 WIDTH rows and 3 WIDTH columns: the left, the middle (eliminated) and the right block. Numbers
   of all pairs stand side by side, `total` of them, so that neighbouring threads read neighbouring places.

   Of a triangular band no rows are exchanged (`shape`): the pivots are its diagonal, and what is computed is a
   substitution, as exact, number by number, as one that goes row by row.

   On each level of the reduction block j of the rows is the original block min((j + 1) step, blocks) - 1, and it
   touches the original blocks j step and min((j + 1) step, blocks) of the columns, where step is 2 ** level. */

#if WIDTH > 2 && !defined(EMULATED)
#define ROLLED _Pragma("unroll 1") /* wide blocks would become thousands of instructions */
#else
#define ROLLED
#endif

#define ROW(a, i, j, n, k) (a)[((u64)(i) * (2 * WIDTH) + (j)) * (n) + (k)]
#define PANEL(i, j) panel[((u64)(i) * (3 * WIDTH) + (j)) * total + at]
#define LAST(i, j) last[((u64)(i) * (2 * WIDTH) + (j)) * lumps + lump]

#define FULL 0
#define LOWER 1
#define UPPER 2

static __device__ __forceinline__ u64 smaller(u64 a, u64 b)
{
    return a < b ? a : b;
}

/* The first of the largest numbers, absolute, among those of rows c ... 2 WIDTH - 1. */
template <class Number> static __device__ __forceinline__ int largest(int c, Number number)
{
    int best = c;
    double most = fabs(number(c));
    ROLLED for (int i = c + 1; i < 2 * WIDTH; ++i) {
        const double here = fabs(number(i));
        if (here > most) {
            most = here;
            best = i;
        }
    }
    return best;
}

/* Eliminate the middle block of columns of each pair; the lower half of its rows is a block of rows of the next level,
   and so is the last block where their number is odd. */
extern "C" __global__ void reduce(const double *rows, double *panel, int *order, double *next, double *pivots,
                                  u64 lumps, u64 blocks, u64 step, u64 size, u64 shape)
{
    const u64 pairs = blocks / 2, rest = blocks - pairs, many = lumps * blocks, total = lumps * pairs;
    EACH (k, lumps * rest) {
        const u64 lump = k / rest, p = k % rest, first = lump * blocks + 2 * p, at = lump * pairs + p;
        if (2 * p + 1 == blocks) {
            ROLLED for (int i = 0; i < WIDTH; ++i)
                ROLLED for (int j = 0; j < 2 * WIDTH; ++j)
                    ROW(next, i, j, lumps * rest, k) = ROW(rows, i, j, many, first);
            continue;
        }
        ROLLED for (int i = 0; i < WIDTH; ++i)
            ROLLED for (int j = 0; j < WIDTH; ++j) {
                PANEL(i, j) = ROW(rows, i, j, many, first);
                PANEL(i, WIDTH + j) = ROW(rows, i, WIDTH + j, many, first);
                PANEL(i, 2 * WIDTH + j) = 0.0;
                PANEL(WIDTH + i, j) = 0.0;
                PANEL(WIDTH + i, WIDTH + j) = ROW(rows, i, j, many, first + 1);
                PANEL(WIDTH + i, 2 * WIDTH + j) = ROW(rows, i, WIDTH + j, many, first + 1);
            }
        ROLLED for (int c = 0; c < WIDTH; ++c) {
            int best = shape == UPPER ? WIDTH + c : c;
            if (shape == FULL)
                best = largest(c, [&](int i) { return PANEL(i, WIDTH + c); });
            order[(u64)c * total + at] = best;
            if (best != c)
                ROLLED for (int j = 0; j < 3 * WIDTH; ++j)
                    exchange(PANEL(c, j), PANEL(best, j));
            const double pivot = PANEL(c, WIDTH + c);
            pivots[lump * size + (2 * p + 1) * step * WIDTH + c] = pivot;
            ROLLED for (int i = c + 1; i < 2 * WIDTH; ++i) {
                const double factor = PANEL(i, WIDTH + c) / pivot;
                PANEL(i, WIDTH + c) = factor;
                ROLLED for (int j = 0; j < WIDTH; ++j) {
                    PANEL(i, j) -= factor * PANEL(c, j);
                    PANEL(i, 2 * WIDTH + j) -= factor * PANEL(c, 2 * WIDTH + j);
                }
                ROLLED for (int j = c + 1; j < WIDTH; ++j)
                    PANEL(i, WIDTH + j) -= factor * PANEL(c, WIDTH + j);
            }
        }
        ROLLED for (int i = 0; i < WIDTH; ++i)
            ROLLED for (int j = 0; j < WIDTH; ++j) {
                ROW(next, i, j, lumps * rest, k) = PANEL(WIDTH + i, j);
                ROW(next, i, WIDTH + j, lumps * rest, k) = PANEL(WIDTH + i, 2 * WIDTH + j);
            }
    }
}

/* Factorize what is left: the last block of rows, above the rows of both ends, which are in `last` already. */
extern "C" __global__ void finish(const double *rows, double *last, int *order, double *pivots, u64 lumps, u64 blocks,
                                  u64 size, u64 shape)
{
    EACH (lump, lumps) {
        ROLLED for (int i = 0; i < WIDTH; ++i)
            ROLLED for (int j = 0; j < 2 * WIDTH; ++j)
                LAST(i, j) = ROW(rows, i, j, lumps, lump);
        ROLLED for (int c = 0; c < 2 * WIDTH; ++c) {
            int best = shape == LOWER && c < WIDTH ? WIDTH + c : c;
            if (shape == FULL)
                best = largest(c, [&](int i) { return LAST(i, c); });
            order[(u64)c * lumps + lump] = best;
            if (best != c)
                ROLLED for (int j = 0; j < 2 * WIDTH; ++j)
                    exchange(LAST(c, j), LAST(best, j));
            const double pivot = LAST(c, c);
            pivots[lump * size + (c < WIDTH ? 0 : (blocks - 1) * WIDTH) + c] = pivot;
            ROLLED for (int i = c + 1; i < 2 * WIDTH; ++i) {
                const double factor = LAST(i, c) / pivot;
                LAST(i, c) = factor;
                ROLLED for (int j = c + 1; j < 2 * WIDTH; ++j)
                    LAST(i, j) -= factor * LAST(c, j);
            }
        }
    }
}

/* A pair on some level, and one right-hand side of `count` that stand side by side: row i of the pair is row PLACE(i). */
struct Pair {
    u64 total, at, upside, downside, lower, count, r, middle, left, right;
};

static __device__ __forceinline__ Pair pair_of(u64 total, u64 first, u64 p, u64 blocks, u64 step, u64 lower, u64 count,
                                               u64 r)
{
    const u64 middle = (2 * p + 1) * step, end = smaller(middle + step, blocks);
    return {total, first + p, middle - 1, end - 1, lower, count, r, middle * WIDTH, (middle - step) * WIDTH, end * WIDTH};
}

#define PLACE(i)                                                                                                       \
    (((i) < WIDTH ? q.lower + q.upside * WIDTH + (i) : q.lower + q.downside * WIDTH + (i) - WIDTH) * q.count + q.r)
#define AT(a, i) (a)[(i) * q.count + q.r]
#define FACTOR(i, j) panel[((u64)(i) * (3 * WIDTH) + (j)) * q.total + q.at]

/* Reduce a right-hand side as the rows were. */
static __device__ __forceinline__ void go_forward(const double *panel, const int *order, double *f, const Pair &q)
{
    ROLLED for (int c = 0; c < WIDTH; ++c) {
        const int best = order[(u64)c * q.total + q.at];
        exchange(f[PLACE(c)], f[PLACE(best)]);
    }
    ROLLED for (int c = 0; c < WIDTH; ++c) {
        const double known = f[PLACE(c)];
        ROLLED for (int i = c + 1; i < 2 * WIDTH; ++i)
            f[PLACE(i)] -= FACTOR(i, WIDTH + c) * known;
    }
}

/* The middle block of unknowns from those at its sides. */
static __device__ __forceinline__ void go_backward(const double *panel, const double *f, double *x, const Pair &q)
{
    ROLLED for (int i = WIDTH - 1; i >= 0; --i) {
        double sum = f[PLACE(i)];
        ROLLED for (int j = 0; j < WIDTH; ++j)
            sum -= FACTOR(i, j) * AT(x, q.left + j);
        ROLLED for (int j = 0; j < WIDTH; ++j)
            sum -= FACTOR(i, 2 * WIDTH + j) * AT(x, q.right + j);
        ROLLED for (int j = i + 1; j < WIDTH; ++j)
            sum -= FACTOR(i, WIDTH + j) * AT(x, q.middle + j);
        AT(x, q.middle + i) = sum / FACTOR(i, WIDTH + i);
    }
}

/* With the transpose, the upper half of the rows from the equations of the middle block. */
static __device__ __forceinline__ void go_forward_transposed(const double *panel, const double *w, double *y,
                                                             const Pair &q)
{
    ROLLED for (int c = 0; c < WIDTH; ++c) {
        double sum = AT(w, q.middle + c);
        ROLLED for (int i = 0; i < c; ++i)
            sum -= FACTOR(i, WIDTH + c) * y[PLACE(i)];
        y[PLACE(c)] = sum / FACTOR(c, WIDTH + c);
    }
}

/* ... which the equations of the blocks at the sides are relieved of: block 2 p takes its part from the pairs beside
   it, of which there are `pairs`. */
static __device__ __forceinline__ void be_relieved(const double *panel, const double *y, double *w, u64 total, u64 first,
                                                   u64 pairs, u64 p, u64 blocks, u64 step, u64 lower, u64 count, u64 r)
{
    const u64 column = smaller(2 * p * step, blocks) * WIDTH;
    ROLLED for (int j = 0; j < WIDTH; ++j) {
        double sum = w[(column + j) * count + r];
        if (p > 0) {
            const Pair q = pair_of(total, first, p - 1, blocks, step, lower, count, r);
            ROLLED for (int i = 0; i < WIDTH; ++i)
                sum -= FACTOR(i, 2 * WIDTH + j) * y[PLACE(i)];
        }
        if (p < pairs) {
            const Pair q = pair_of(total, first, p, blocks, step, lower, count, r);
            ROLLED for (int i = 0; i < WIDTH; ++i)
                sum -= FACTOR(i, j) * y[PLACE(i)];
        }
        w[(column + j) * count + r] = sum;
    }
}

static __device__ __forceinline__ void go_backward_transposed(const double *panel, const int *order, double *y,
                                                              const Pair &q)
{
    ROLLED for (int c = WIDTH - 1; c >= 0; --c) {
        double sum = y[PLACE(c)];
        ROLLED for (int i = c + 1; i < 2 * WIDTH; ++i)
            sum -= FACTOR(i, WIDTH + c) * y[PLACE(i)];
        y[PLACE(c)] = sum;
    }
    ROLLED for (int c = WIDTH - 1; c >= 0; --c) {
        const int best = order[(u64)c * q.total + q.at];
        exchange(y[PLACE(c)], y[PLACE(best)]);
    }
}

/* What is left in the end: where row i stands, and column i. */
#define LAST_ROW(i)                                                                                                    \
    (((i) < WIDTH           ? lower + (blocks - 1) * WIDTH + (i)                                                       \
      : (i) - WIDTH < lower ? (i) - WIDTH                                                                              \
                            : blocks * WIDTH + (i) - WIDTH) *                                                          \
         count +                                                                                                       \
     r)
#define LAST_COLUMN(i) (((i) < WIDTH ? (u64)(i) : (blocks - 1) * WIDTH + (i)) * count + r)

static __device__ void solve_last(const double *last, const int *order, double *f, double *x, u64 lumps, u64 lump,
                                  u64 blocks, u64 lower, u64 count, u64 r)
{
    ROLLED for (u64 c = 0; c < 2 * WIDTH; ++c) {
        const u64 best = order[c * lumps + lump];
        exchange(f[LAST_ROW(c)], f[LAST_ROW(best)]);
    }
    ROLLED for (u64 i = 0; i < 2 * WIDTH; ++i) {
        double sum = f[LAST_ROW(i)];
        ROLLED for (u64 j = 0; j < i; ++j)
            sum -= LAST(i, j) * x[LAST_COLUMN(j)];
        x[LAST_COLUMN(i)] = sum;
    }
    ROLLED for (u64 i = 2 * WIDTH; i-- > 0;) {
        double sum = x[LAST_COLUMN(i)];
        ROLLED for (u64 j = i + 1; j < 2 * WIDTH; ++j)
            sum -= LAST(i, j) * x[LAST_COLUMN(j)];
        x[LAST_COLUMN(i)] = sum / LAST(i, i);
    }
}

/* The same with the transpose: w stands where columns do, y where rows do. */
static __device__ void solve_last_transposed(const double *last, const int *order, const double *w, double *y, u64 lumps,
                                             u64 lump, u64 blocks, u64 lower, u64 count, u64 r)
{
    ROLLED for (u64 i = 0; i < 2 * WIDTH; ++i) {
        double sum = w[LAST_COLUMN(i)];
        ROLLED for (u64 j = 0; j < i; ++j)
            sum -= LAST(j, i) * y[LAST_ROW(j)];
        y[LAST_ROW(i)] = sum / LAST(i, i);
    }
    ROLLED for (u64 i = 2 * WIDTH; i-- > 0;) {
        double sum = y[LAST_ROW(i)];
        ROLLED for (u64 j = i + 1; j < 2 * WIDTH; ++j)
            sum -= LAST(j, i) * y[LAST_ROW(j)];
        y[LAST_ROW(i)] = sum;
    }
    ROLLED for (u64 c = 2 * WIDTH; c-- > 0;) {
        const u64 best = order[c * lumps + lump];
        exchange(y[LAST_ROW(c)], y[LAST_ROW(best)]);
    }
}

/* Levels with many pairs: a launch each, `count` threads a pair. */
#define EACH_PAIR                                                                                                      \
    EACH (k, pairs * count) {                                                                                          \
        const Pair q = pair_of(lumps * pairs, lump * pairs, k / count, blocks, step, lower, count, k % count);

extern "C" __global__ void forward(const double *panel, const int *order, double *f, u64 lumps, u64 lump, u64 blocks,
                                   u64 lower, u64 count, u64 pairs, u64 step)
{
    EACH_PAIR
        go_forward(panel, order, f, q);
    }
}

extern "C" __global__ void backward(const double *panel, const double *f, double *x, u64 lumps, u64 lump, u64 blocks,
                                    u64 lower, u64 count, u64 pairs, u64 step)
{
    EACH_PAIR
        go_backward(panel, f, x, q);
    }
}

extern "C" __global__ void forward_transposed(const double *panel, const double *w, double *y, u64 lumps, u64 lump,
                                              u64 blocks, u64 lower, u64 count, u64 pairs, u64 step)
{
    EACH_PAIR
        go_forward_transposed(panel, w, y, q);
    }
}

extern "C" __global__ void relieve(const double *panel, const double *y, double *w, u64 lumps, u64 lump, u64 blocks,
                                   u64 lower, u64 count, u64 pairs, u64 step)
{
    EACH (k, (pairs + 1) * count)
        be_relieved(panel, y, w, lumps * pairs, lump * pairs, pairs, k / count, blocks, step, lower, count, k % count);
}

extern "C" __global__ void backward_transposed(const double *panel, const int *order, double *y, u64 lumps, u64 lump,
                                               u64 blocks, u64 lower, u64 count, u64 pairs, u64 step)
{
    EACH_PAIR
        go_backward_transposed(panel, order, y, q);
    }
}

/* All further levels, from one with `some` blocks on, and what is left: by one block of threads for each right-hand
   side. Panels of the levels stand one behind the other. */
#define PANELS(pairs) (6 * WIDTH * WIDTH * lumps * (pairs))
#define ORDERS(pairs) (WIDTH * lumps * (pairs))
#define PAIR_HERE pair_of(lumps *pairs, lump *pairs, p, blocks, step, lower, count, r)

template <bool TRANSPOSED>
static __device__ __forceinline__ void all_levels(const double *panel, const int *order, const double *last,
                                                  const int *last_order, double *given, double *found, u64 lumps,
                                                  u64 lump, u64 blocks, u64 lower, u64 count, u64 some, u64 step)
{
    for (u64 r = blockIdx.x; r < count; r += gridDim.x) {
        u64 levels = 0, left = some;
        for (; left > 1; ++levels, step *= 2) {
            const u64 pairs = left / 2;
            THREADS {
                OF_BLOCK (p, pairs)
                    if (TRANSPOSED)
                        go_forward_transposed(panel, given, found, PAIR_HERE);
                    else
                        go_forward(panel, order, given, PAIR_HERE);
            }
            BARRIER;
            if (TRANSPOSED) {
                THREADS {
                    OF_BLOCK (p, pairs + 1)
                        be_relieved(panel, found, given, lumps * pairs, lump * pairs, pairs, p, blocks, step, lower,
                                    count, r);
                }
                BARRIER;
            }
            panel += PANELS(pairs);
            order += ORDERS(pairs);
            left -= pairs;
        }
        THREADS {
            if (threadIdx.x == 0) {
                if (TRANSPOSED)
                    solve_last_transposed(last, last_order, given, found, lumps, lump, blocks, lower, count, r);
                else
                    solve_last(last, last_order, given, found, lumps, lump, blocks, lower, count, r);
            }
        }
        BARRIER;
        for (; levels > 0; --levels) {
            step /= 2;
            const u64 before = ((some - 1) >> (levels - 1)) + 1, pairs = before / 2;
            panel -= PANELS(pairs);
            order -= ORDERS(pairs);
            THREADS {
                OF_BLOCK (p, pairs)
                    if (TRANSPOSED)
                        go_backward_transposed(panel, order, found, PAIR_HERE);
                    else
                        go_backward(panel, given, found, PAIR_HERE);
            }
            BARRIER;
        }
    }
}

extern "C" __global__ void tail(const double *panel, const int *order, const double *last, const int *last_order,
                                double *f, double *x, u64 lumps, u64 lump, u64 blocks, u64 lower, u64 count, u64 some,
                                u64 step)
{
    all_levels<false>(panel, order, last, last_order, f, x, lumps, lump, blocks, lower, count, some, step);
}

extern "C" __global__ void tail_transposed(const double *panel, const int *order, const double *last,
                                           const int *last_order, double *w, double *y, u64 lumps, u64 lump, u64 blocks,
                                           u64 lower, u64 count, u64 some, u64 step)
{
    all_levels<true>(panel, order, last, last_order, w, y, lumps, lump, blocks, lower, count, some, step);
}
