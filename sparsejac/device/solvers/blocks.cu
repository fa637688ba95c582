/* Many dense matrices of WIDTH rows, one thread each: LU with partial pivoting, and substitution.

   Numbers of all matrices stand side by side, `total` of them. */

#define ENTRY(i, j) blocks[((u64)(i) * WIDTH + (j)) * total + at]

extern "C" __global__ void factor(double *blocks, int *order, u64 total)
{
    EACH (at, total) {
        for (int c = 0; c < WIDTH; ++c) {
            int best = c;
            double most = fabs(ENTRY(c, c));
            for (int i = c + 1; i < WIDTH; ++i) {
                const double here = fabs(ENTRY(i, c));
                if (here > most) {
                    most = here;
                    best = i;
                }
            }
            order[(u64)c * total + at] = best;
            if (best != c)
                for (int j = 0; j < WIDTH; ++j)
                    exchange(ENTRY(c, j), ENTRY(best, j));
            for (int i = c + 1; i < WIDTH; ++i) {
                const double factor = ENTRY(i, c) / ENTRY(c, c);
                ENTRY(i, c) = factor;
                for (int j = c + 1; j < WIDTH; ++j)
                    ENTRY(i, j) -= factor * ENTRY(c, j);
            }
        }
    }
}

/* Matrices first ... first + many - 1; row i of matrix k is row places[k WIDTH + i] of x, which is overwritten. */
#define PLACE(i) ((u64)places[m * WIDTH + (i)] * count + r)

extern "C" __global__ void solve(const double *blocks, const int *order, const long long *places, double *x, u64 total,
                                 u64 first, u64 many, u64 count)
{
    EACH (k, many * count) {
        const u64 m = k / count, r = k % count, at = first + m;
        for (int c = 0; c < WIDTH; ++c) {
            const int best = order[(u64)c * total + at];
            exchange(x[PLACE(c)], x[PLACE(best)]);
        }
        for (int i = 1; i < WIDTH; ++i) {
            double sum = x[PLACE(i)];
            for (int j = 0; j < i; ++j)
                sum -= ENTRY(i, j) * x[PLACE(j)];
            x[PLACE(i)] = sum;
        }
        for (int i = WIDTH - 1; i >= 0; --i) {
            double sum = x[PLACE(i)];
            for (int j = i + 1; j < WIDTH; ++j)
                sum -= ENTRY(i, j) * x[PLACE(j)];
            x[PLACE(i)] = sum / ENTRY(i, i);
        }
    }
}

extern "C" __global__ void solve_transposed(const double *blocks, const int *order, const long long *places, double *x,
                                            u64 total, u64 first, u64 many, u64 count)
{
    EACH (k, many * count) {
        const u64 m = k / count, r = k % count, at = first + m;
        for (int i = 0; i < WIDTH; ++i) {
            double sum = x[PLACE(i)];
            for (int j = 0; j < i; ++j)
                sum -= ENTRY(j, i) * x[PLACE(j)];
            x[PLACE(i)] = sum / ENTRY(i, i);
        }
        for (int i = WIDTH - 1; i >= 0; --i) {
            double sum = x[PLACE(i)];
            for (int j = i + 1; j < WIDTH; ++j)
                sum -= ENTRY(j, i) * x[PLACE(j)];
            x[PLACE(i)] = sum;
        }
        for (int c = WIDTH - 1; c >= 0; --c) {
            const int best = order[(u64)c * total + at];
            exchange(x[PLACE(c)], x[PLACE(best)]);
        }
    }
}
