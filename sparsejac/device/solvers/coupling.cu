/* y[rows] -= A x, where entry e of A, by rows, is data[entries[e]]; x and y hold `count` vectors side by side, and may
   be one array, if no row that is written is read. */
extern "C" __global__ void subtract(const long long *rows, const long long *indptr, const long long *columns,
                                    const long long *entries, const double *data, const double *x, double *y, u64 many,
                                    u64 count)
{
    EACH (k, many * count) {
        const u64 row = k / count, r = k % count;
        double sum = y[rows[row] * count + r];
        for (long long e = indptr[row]; e < indptr[row + 1]; ++e)
            sum -= data[entries[e]] * x[columns[e] * count + r];
        y[rows[row] * count + r] = sum;
    }
}
