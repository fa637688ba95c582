/* Bands by block cyclic reduction with exchanges of rows; WIDTH is the number of diagonals beside the main one.

   Columns stand in blocks of WIDTH, rows in blocks that touch two blocks of columns each, and as many rows as one block
   holds touch the first or the last block alone. Two neighbouring blocks of rows share a block of columns, which stands
   in no other row: it is eliminated from the 2 WIDTH rows by Gauss with partial pivoting, WIDTH of them go on as one
   block of rows, and so half of the blocks are left. In the end there is one block, with the rows of both ends.

   A pair is a panel of 2 WIDTH rows and 3 WIDTH columns: the left, the middle (eliminated) and the right block. Numbers
   of all pairs stand side by side, `total` of them, so that neighbouring threads read neighbouring places.

   On each level of the reduction block j of the rows is the original block min((j + 1) step, blocks) - 1, and it
   touches the original blocks j step and min((j + 1) step, blocks) of the columns, where step is 2 ** level. */

#define ROW(a, i, j, n, k) (a)[((u64)(i) * (2 * WIDTH) + (j)) * (n) + (k)]
#define PANEL(i, j) panel[((u64)(i) * (3 * WIDTH) + (j)) * total + at]
#define LAST(i, j) last[((u64)(i) * (2 * WIDTH) + (j)) * lumps + lump]

static __device__ __forceinline__ u64 smaller(u64 a, u64 b)
{
    return a < b ? a : b;
}

/* Eliminate the middle block of columns of each pair; the lower half of its rows is a block of rows of the next level,
   and so is the last block where their number is odd. */
extern "C" __global__ void reduce(const double *rows, double *panel, int *order, double *next, double *pivots,
                                  u64 lumps, u64 blocks, u64 step, u64 size)
{
    const u64 pairs = blocks / 2, rest = blocks - pairs, many = lumps * blocks, total = lumps * pairs;
    EACH (k, lumps * rest) {
        const u64 lump = k / rest, p = k % rest, first = lump * blocks + 2 * p, at = lump * pairs + p;
        if (2 * p + 1 == blocks) {
            for (int i = 0; i < WIDTH; ++i)
                for (int j = 0; j < 2 * WIDTH; ++j)
                    ROW(next, i, j, lumps * rest, k) = ROW(rows, i, j, many, first);
            continue;
        }
        for (int i = 0; i < WIDTH; ++i)
            for (int j = 0; j < WIDTH; ++j) {
                PANEL(i, j) = ROW(rows, i, j, many, first);
                PANEL(i, WIDTH + j) = ROW(rows, i, WIDTH + j, many, first);
                PANEL(i, 2 * WIDTH + j) = 0.0;
                PANEL(WIDTH + i, j) = 0.0;
                PANEL(WIDTH + i, WIDTH + j) = ROW(rows, i, j, many, first + 1);
                PANEL(WIDTH + i, 2 * WIDTH + j) = ROW(rows, i, WIDTH + j, many, first + 1);
            }
        for (int c = 0; c < WIDTH; ++c) {
            int best = c;
            double most = fabs(PANEL(c, WIDTH + c));
            for (int i = c + 1; i < 2 * WIDTH; ++i) {
                const double here = fabs(PANEL(i, WIDTH + c));
                if (here > most) {
                    most = here;
                    best = i;
                }
            }
            order[(u64)c * total + at] = best;
            if (best != c)
                for (int j = 0; j < 3 * WIDTH; ++j) {
                    const double kept = PANEL(c, j);
                    PANEL(c, j) = PANEL(best, j);
                    PANEL(best, j) = kept;
                }
            const double pivot = PANEL(c, WIDTH + c);
            pivots[lump * size + (2 * p + 1) * step * WIDTH + c] = pivot;
            for (int i = c + 1; i < 2 * WIDTH; ++i) {
                const double factor = PANEL(i, WIDTH + c) / pivot;
                PANEL(i, WIDTH + c) = factor;
                for (int j = 0; j < WIDTH; ++j) {
                    PANEL(i, j) -= factor * PANEL(c, j);
                    PANEL(i, 2 * WIDTH + j) -= factor * PANEL(c, 2 * WIDTH + j);
                }
                for (int j = c + 1; j < WIDTH; ++j)
                    PANEL(i, WIDTH + j) -= factor * PANEL(c, WIDTH + j);
            }
        }
        for (int i = 0; i < WIDTH; ++i)
            for (int j = 0; j < WIDTH; ++j) {
                ROW(next, i, j, lumps * rest, k) = PANEL(WIDTH + i, j);
                ROW(next, i, WIDTH + j, lumps * rest, k) = PANEL(WIDTH + i, 2 * WIDTH + j);
            }
    }
}

/* Factorize what is left: the last block of rows, above the rows of both ends, which are in `last` already. */
extern "C" __global__ void finish(const double *rows, double *last, int *order, double *pivots, u64 lumps, u64 blocks,
                                  u64 size)
{
    EACH (lump, lumps) {
        for (int i = 0; i < WIDTH; ++i)
            for (int j = 0; j < 2 * WIDTH; ++j)
                LAST(i, j) = ROW(rows, i, j, lumps, lump);
        for (int c = 0; c < 2 * WIDTH; ++c) {
            int best = c;
            double most = fabs(LAST(c, c));
            for (int i = c + 1; i < 2 * WIDTH; ++i) {
                const double here = fabs(LAST(i, c));
                if (here > most) {
                    most = here;
                    best = i;
                }
            }
            order[(u64)c * lumps + lump] = best;
            if (best != c)
                for (int j = 0; j < 2 * WIDTH; ++j) {
                    const double kept = LAST(c, j);
                    LAST(c, j) = LAST(best, j);
                    LAST(best, j) = kept;
                }
            const double pivot = LAST(c, c);
            pivots[lump * size + (c < WIDTH ? 0 : (blocks - 1) * WIDTH) + c] = pivot;
            for (int i = c + 1; i < 2 * WIDTH; ++i) {
                const double factor = LAST(i, c) / pivot;
                LAST(i, c) = factor;
                for (int j = c + 1; j < 2 * WIDTH; ++j)
                    LAST(i, j) -= factor * LAST(c, j);
            }
        }
    }
}

/* Where row i of a pair stands, and column i of the middle block. */
#define PLACE(i) (((i) < WIDTH ? lower + upside * WIDTH + (i) : lower + downside * WIDTH + (i) - WIDTH) * count + r)
#define PAIR                                                                                                           \
    const u64 p = k / count, r = k % count, at = first + p, middle = (2 * p + 1) * step;                               \
    const u64 upside = middle - 1, downside = smaller(middle + step, blocks) - 1;

/* Of one matrix: reduce right-hand sides, `count` of them side by side, as its rows were. */
extern "C" __global__ void forward(const double *panel, const int *order, double *f, u64 total, u64 first, u64 pairs,
                                   u64 blocks, u64 step, u64 lower, u64 count)
{
    EACH (k, pairs * count) {
        PAIR
        for (int c = 0; c < WIDTH; ++c) {
            const int best = order[(u64)c * total + at];
            const double kept = f[PLACE(c)];
            f[PLACE(c)] = f[PLACE(best)];
            f[PLACE(best)] = kept;
        }
        for (int c = 0; c < WIDTH; ++c) {
            const double known = f[PLACE(c)];
            for (int i = c + 1; i < 2 * WIDTH; ++i)
                f[PLACE(i)] -= PANEL(i, WIDTH + c) * known;
        }
    }
}

/* The middle block of unknowns of each pair from those at its sides. */
extern "C" __global__ void backward(const double *panel, const double *f, double *x, u64 total, u64 first, u64 pairs,
                                    u64 blocks, u64 step, u64 lower, u64 count)
{
    EACH (k, pairs * count) {
        PAIR
        const u64 left = (middle - step) * WIDTH, own = middle * WIDTH, right = (downside + 1) * WIDTH;
        for (int i = WIDTH - 1; i >= 0; --i) {
            double sum = f[PLACE(i)];
            for (int j = 0; j < WIDTH; ++j)
                sum -= PANEL(i, j) * x[(left + j) * count + r];
            for (int j = 0; j < WIDTH; ++j)
                sum -= PANEL(i, 2 * WIDTH + j) * x[(right + j) * count + r];
            for (int j = i + 1; j < WIDTH; ++j)
                sum -= PANEL(i, WIDTH + j) * x[(own + j) * count + r];
            x[(own + i) * count + r] = sum / PANEL(i, WIDTH + i);
        }
    }
}

/* Where row i of what is left stands, and column i. */
#define LAST_ROW(i)                                                                                                    \
    (((i) < WIDTH             ? lower + (blocks - 1) * WIDTH + (i)                                                     \
      : (i) - WIDTH < lower ? (i) - WIDTH                                                                            \
                              : blocks * WIDTH + (i) - WIDTH) *                                                       \
         count +                                                                                                       \
     r)
#define LAST_COLUMN(i) (((i) < WIDTH ? (u64)(i) : (blocks - 1) * WIDTH + (i)) * count + r)

extern "C" __global__ void solve_last(const double *last, const int *order, double *f, double *x, u64 lumps, u64 lump,
                                      u64 blocks, u64 lower, u64 count)
{
    EACH (r, count) {
        for (u64 c = 0; c < 2 * WIDTH; ++c) {
            const u64 best = order[c * lumps + lump];
            const double kept = f[LAST_ROW(c)];
            f[LAST_ROW(c)] = f[LAST_ROW(best)];
            f[LAST_ROW(best)] = kept;
        }
        for (u64 i = 0; i < 2 * WIDTH; ++i) {
            double sum = f[LAST_ROW(i)];
            for (u64 j = 0; j < i; ++j)
                sum -= LAST(i, j) * x[LAST_COLUMN(j)];
            x[LAST_COLUMN(i)] = sum;
        }
        for (u64 i = 2 * WIDTH; i-- > 0;) {
            double sum = x[LAST_COLUMN(i)];
            for (u64 j = i + 1; j < 2 * WIDTH; ++j)
                sum -= LAST(i, j) * x[LAST_COLUMN(j)];
            x[LAST_COLUMN(i)] = sum / LAST(i, i);
        }
    }
}

/* The same with the transpose: w stands where columns do, y where rows do. */
extern "C" __global__ void solve_last_transposed(const double *last, const int *order, const double *w, double *y,
                                                 u64 lumps, u64 lump, u64 blocks, u64 lower, u64 count)
{
    EACH (r, count) {
        for (u64 i = 0; i < 2 * WIDTH; ++i) {
            double sum = w[LAST_COLUMN(i)];
            for (u64 j = 0; j < i; ++j)
                sum -= LAST(j, i) * y[LAST_ROW(j)];
            y[LAST_ROW(i)] = sum / LAST(i, i);
        }
        for (u64 i = 2 * WIDTH; i-- > 0;) {
            double sum = y[LAST_ROW(i)];
            for (u64 j = i + 1; j < 2 * WIDTH; ++j)
                sum -= LAST(j, i) * y[LAST_ROW(j)];
            y[LAST_ROW(i)] = sum;
        }
        for (u64 c = 2 * WIDTH; c-- > 0;) {
            const u64 best = order[c * lumps + lump];
            const double kept = y[LAST_ROW(c)];
            y[LAST_ROW(c)] = y[LAST_ROW(best)];
            y[LAST_ROW(best)] = kept;
        }
    }
}

/* With the transpose, the upper half of the rows of each pair from the equations of its middle block. */
extern "C" __global__ void forward_transposed(const double *panel, const double *w, double *y, u64 total, u64 first,
                                              u64 pairs, u64 blocks, u64 step, u64 lower, u64 count)
{
    EACH (k, pairs * count) {
        PAIR
        (void)downside;
        for (int c = 0; c < WIDTH; ++c) {
            double sum = w[(middle * WIDTH + c) * count + r];
            for (int i = 0; i < c; ++i)
                sum -= PANEL(i, WIDTH + c) * y[PLACE(i)];
            y[PLACE(c)] = sum / PANEL(c, WIDTH + c);
        }
    }
}

/* ... which the equations of the blocks at the sides are relieved of: each takes its part from the pairs beside it. */
extern "C" __global__ void relieve(const double *panel, const double *y, double *w, u64 total, u64 first, u64 pairs,
                                   u64 blocks, u64 step, u64 lower, u64 count)
{
    EACH (k, (pairs + 1) * count) {
        const u64 q = k / count, r = k % count, column = smaller(2 * q * step, blocks) * WIDTH;
        for (int j = 0; j < WIDTH; ++j) {
            double sum = w[(column + j) * count + r];
            if (q > 0) {
                const u64 at = first + q - 1, row = lower + ((2 * q - 1) * step - 1) * WIDTH;
                for (int i = 0; i < WIDTH; ++i)
                    sum -= PANEL(i, 2 * WIDTH + j) * y[(row + i) * count + r];
            }
            if (q < pairs) {
                const u64 at = first + q, row = lower + ((2 * q + 1) * step - 1) * WIDTH;
                for (int i = 0; i < WIDTH; ++i)
                    sum -= PANEL(i, j) * y[(row + i) * count + r];
            }
            w[(column + j) * count + r] = sum;
        }
    }
}

extern "C" __global__ void backward_transposed(const double *panel, const int *order, double *y, u64 total, u64 first,
                                               u64 pairs, u64 blocks, u64 step, u64 lower, u64 count)
{
    EACH (k, pairs * count) {
        PAIR
        for (int c = WIDTH - 1; c >= 0; --c) {
            double sum = y[PLACE(c)];
            for (int i = c + 1; i < 2 * WIDTH; ++i)
                sum -= PANEL(i, WIDTH + c) * y[PLACE(i)];
            y[PLACE(c)] = sum;
        }
        for (int c = WIDTH - 1; c >= 0; --c) {
            const int best = order[(u64)c * total + at];
            const double kept = y[PLACE(c)];
            y[PLACE(c)] = y[PLACE(best)];
            y[PLACE(best)] = kept;
        }
    }
}
