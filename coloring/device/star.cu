/* Star coloring: neighbours have different colors, and no path on four vertices has only two.

   The scheme is that of partial distance-2 coloring: all vertices without a color choose one that what is colored
   allows (pick), those that others with a higher priority disturb lose it (resolve), the rest keeps it (commit).
   A vertex looks at the paths on four vertices through it.

   Where only some vertices are to be colored, the others that have no color are not in play: `chosen` is NONE for them,
   and they disturb nobody. */

#define NONE -1

/* Neighbours that wait, for each further color that is drawn from: more colors, fewer rounds. */
#define SPREAD 8

#define NEIGHBORS(k, vertex) for (int k = ptr[vertex]; k < ptr[(vertex) + 1]; ++k)

/* Mark a color that lies in the window of 64 from `base`. */
static __device__ __forceinline__ void forbid(u64 &taken, const int color, const int base)
{
    if (color >= base && color < base + 64)
        taken |= 1ull << (color - base);
}

/* Whether a vertex beside `third` other than `second` has a color. */
static __device__ bool goes_on(const int *ptr, const int *adjacent, const int *colors, const int second,
                               const int third, const int color)
{
    NEIGHBORS(k, third)
        if (adjacent[k] != second && colors[adjacent[k]] == color)
            return true;
    return false;
}

/* The colors of a window that a vertex may not have, with what is colored so far: those of its neighbours; of third
   vertices behind a neighbour without a color; of third vertices whose path goes on in the color of the second; and,
   where two neighbours have one color, those of all their neighbours. */
static __device__ u64 taken_in(const int *ptr, const int *adjacent, const int *colors, const int vertex,
                               const int base)
{
    u64 taken = 0;
    NEIGHBORS(k, vertex) {
        const int second = adjacent[k], color = colors[second];
        forbid(taken, color, base);
        bool twin = false;
        if (color != NONE)
            NEIGHBORS(j, vertex)
                twin |= j != k && colors[adjacent[j]] == color;
        NEIGHBORS(j, second) {
            const int third = adjacent[j];
            if (third == vertex || colors[third] == NONE)
                continue;
            if (color == NONE || twin || goes_on(ptr, adjacent, colors, second, third, color))
                forbid(taken, colors[third], base);
        }
    }
    return taken;
}

extern "C" __global__ void pick(const u64 count, const int *uncolored, const int *ptr, const int *adjacent,
                                const int *colors, const u32 seed, const u32 round, int *chosen)
{
    EACH(i, count) {
        const int vertex = uncolored[i];
        u32 waiting = 0;
        NEIGHBORS(k, vertex)
            waiting += colors[adjacent[k]] == NONE;
        u32 skipped = mixed(priority((u32)vertex, seed) + round) % (waiting / SPREAD + 1);
        int color = NONE;
        for (int base = 0; color == NONE; base += 64) {
            u64 free = ~taken_in(ptr, adjacent, colors, vertex, base);
            for (; free && skipped; --skipped)
                free &= free - 1;
            if (free)
                color = base + __ffsll((long long)free) - 1;
        }
        chosen[vertex] = color;
    }
}

/* The color of a vertex, or the one that it has chosen. */
static __device__ __forceinline__ int now(const int *colors, const int *chosen, const int vertex)
{
    return colors[vertex] == NONE ? chosen[vertex] : colors[vertex];
}

/* Whether one of two vertices beside `vertex` is as likely to go: it has no color yet, and a lower priority. */
static __device__ __forceinline__ bool yields(const int *colors, const int other, const u32 mine, const u32 seed)
{
    return colors[other] == NONE && priority((u32)other, seed) < mine;
}

/* A vertex loses where it has the color of a neighbour, or lies on a path of two colors, unless another vertex there
   that chose in this round has a lower priority and loses instead. */
extern "C" __global__ void resolve(const u64 count, const int *uncolored, const int *ptr, const int *adjacent,
                                   const int *colors, const int *chosen, const u32 seed, int *kept)
{
    EACH(i, count) {
        const int a = uncolored[i], color = chosen[a];
        const u32 mine = priority((u32)a, seed);
        bool keeps = true;
        for (int k = ptr[a]; keeps && k < ptr[a + 1]; ++k) {
            const int b = adjacent[k], other = now(colors, chosen, b);
            if (other == NONE)
                continue;
            if (other == color)
                keeps = yields(colors, b, mine, seed);
            for (int j = ptr[b]; keeps && j < ptr[b + 1]; ++j) {
                const int c = adjacent[j];
                if (c == a || now(colors, chosen, c) != color)
                    continue;
                const bool saved = yields(colors, b, mine, seed) || yields(colors, c, mine, seed);
                /* a - b - c - d: a ends the path */
                for (int m = ptr[c]; keeps && m < ptr[c + 1]; ++m)
                    if (adjacent[m] != b && now(colors, chosen, adjacent[m]) == other)
                        keeps = saved || yields(colors, adjacent[m], mine, seed);
                /* d - a - b - c: a is inside */
                for (int m = ptr[a]; keeps && m < ptr[a + 1]; ++m)
                    if (adjacent[m] != b && now(colors, chosen, adjacent[m]) == other)
                        keeps = saved || yields(colors, adjacent[m], mine, seed);
            }
        }
        kept[i] = keeps;
    }
}

extern "C" __global__ void commit(const u64 count, const int *uncolored, const int *chosen, const int *kept,
                                  int *colors, int *remaining, u32 *counts)
{
    EACH(i, count) {
        const int vertex = uncolored[i];
        if (kept[i])
            colors[vertex] = chosen[vertex];
        else
            remaining[atomicAdd(counts, 1u)] = vertex;
    }
}

/* The neighbours of each vertex: the places beside the diagonal. */
extern "C" __global__ void count_off_diagonal(const u64 rows, const int *indptr, const int *indices, int *sizes)
{
    EACH(row, rows) {
        int count = 0;
        for (int k = indptr[row]; k < indptr[row + 1]; ++k)
            count += indices[k] != (int)row;
        sizes[row] = count;
    }
}

extern "C" __global__ void fill_off_diagonal(const u64 rows, const int *indptr, const int *indices, const int *ptr,
                                             int *adjacent)
{
    EACH(row, rows) {
        int next = ptr[row];
        for (int k = indptr[row]; k < indptr[row + 1]; ++k)
            if (indices[k] != (int)row)
                adjacent[next++] = indices[k];
    }
}

/* Whether each entry has its mirror image. */
extern "C" __global__ void one_sided(const u64 rows, const int *indptr, const int *indices, u32 *found)
{
    EACH(row, rows)
        for (int k = indptr[row]; k < indptr[row + 1]; ++k) {
            int low = indptr[indices[k]], high = indptr[indices[k] + 1];
            while (low < high) {
                const int middle = low + (high - low) / 2;
                if (indices[middle] < (int)row)
                    low = middle + 1;
                else
                    high = middle;
            }
            if (low == indptr[indices[k] + 1] || indices[low] != (int)row)
                atomicAdd(found, 1u);
        }
}
