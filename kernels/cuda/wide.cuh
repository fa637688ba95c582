/* Whole numbers of N words, the lowest first, modulo 2**(64 N). */

template <int N> struct Wide {
    u64 word[N];
};

template <int N> INLINE Wide<N> wide_of(u64 x)
{
    Wide<N> y = {};
    y.word[0] = x;
    return y;
}

template <int N, int M> INLINE Wide<N> wide_to(const Wide<M> &x)
{
    Wide<N> y;
#pragma unroll
    for (int k = 0; k < N; ++k)
        y.word[k] = x.word[k];
    return y;
}

template <int N> INLINE Wide<N> wide_or(const Wide<N> &x, const Wide<N> &y)
{
    Wide<N> z;
#pragma unroll
    for (int k = 0; k < N; ++k)
        z.word[k] = x.word[k] | y.word[k];
    return z;
}

template <int N> INLINE Wide<N> wide_add(const Wide<N> &x, const Wide<N> &y)
{
    Wide<N> z;
    u64 carry = 0;
#pragma unroll
    for (int k = 0; k < N; ++k) {
        const u64 part = x.word[k] + carry;
        carry = part < carry;
        z.word[k] = part + y.word[k];
        carry += z.word[k] < part;
    }
    return z;
}

template <int N> INLINE Wide<N> wide_mul(const Wide<N> &x, const Wide<N> &y)
{
    Wide<N> z = {};
#pragma unroll
    for (int i = 0; i < N; ++i) {
        u64 carry = 0;
#pragma unroll
        for (int k = 0; k < N; ++k)
            if (i + k < N) {
                const u64 low = x.word[i] * y.word[k];
                u64 high = __umul64hi(x.word[i], y.word[k]);
                const u64 part = low + carry;
                high += part < low;
                z.word[i + k] += part;
                carry = high + (z.word[i + k] < part);
            }
    }
    return z;
}

/* By S places, which is known when the text is compiled. */
template <int S, int N> INLINE Wide<N> wide_shl(const Wide<N> &x)
{
    Wide<N> z;
#pragma unroll
    for (int k = 0; k < N; ++k) {
        const int from = k - S / 64;
        const u64 here = from >= 0 ? x.word[from < 0 ? 0 : from] : 0;
        const u64 below = from >= 1 ? x.word[from < 1 ? 0 : from - 1] : 0;
        z.word[k] = S % 64 ? here << (S % 64) | below >> (63 - S % 64) >> 1 : here;
    }
    return z;
}

template <int S, int N> INLINE Wide<N> wide_shifted(const Wide<N> &x, u64 fill)
{
    Wide<N> z;
#pragma unroll
    for (int k = 0; k < N; ++k) {
        const int from = k + S / 64;
        const u64 here = from < N ? x.word[from < N ? from : 0] : fill;
        const u64 above = from + 1 < N ? x.word[from + 1 < N ? from + 1 : 0] : fill;
        z.word[k] = S % 64 ? here >> (S % 64) | above << 1 << (63 - S % 64) : here;
    }
    return z;
}

template <int S, int N> INLINE Wide<N> wide_lshr(const Wide<N> &x)
{
    return wide_shifted<S>(x, 0);
}

template <int S, int N> INLINE Wide<N> wide_ashr(const Wide<N> &x)
{
    return wide_shifted<S>(x, x.word[N - 1] >> 63 ? ~0ull : 0);
}

/* By less than 64 places. */
template <int N> INLINE Wide<N> wide_shl_some(const Wide<N> &x, u64 places)
{
    Wide<N> z;
#pragma unroll
    for (int k = 0; k < N; ++k)
        z.word[k] = x.word[k] << places | (k ? x.word[k - 1] >> 1 >> (63 - places) : 0);
    return z;
}
