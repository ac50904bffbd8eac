/* A neuron class over a whole sequence on CUDA. What is written for the class comes before this
 * text, as before frame.c.
 *
 * Neurons don't depend on each other, so a thread takes one of them through all steps. The backward
 * pass first runs forward once more, and keeps the states before each segment of so many steps;
 * then, segment by segment from the last one, the states before each step of it.
 */

#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#define EXP(x) exp(x)

/* Numbers in memory; half as long ones are computed with in float, and each result rounded. */
#if defined(BFLOAT16)
typedef unsigned short stored;
static __device__ float load(stored number)
{
    return __int_as_float((int)((unsigned)number << 16));
}
static __device__ stored save(float value)
{
    const unsigned bits = (unsigned)__float_as_int(value);
    return value != value ? 0x7fff : (stored)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
#elif defined(FLOAT16)
typedef unsigned short stored;
static __device__ float load(stored number)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(number));
    return value;
}
static __device__ stored save(float value)
{
    stored number;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(number) : "f"(value));
    return number;
}
#else
typedef real stored;
static __device__ real load(stored number) { return number; }
static __device__ stored save(real value) { return value; }
#endif
#define LOAD(number) load(number)
#define SAVE(value) save(value)
#define ROUND(value) load(save(value))

#define COUNT(...) +1
enum { STATE_COUNT = 0 STATES(COUNT) };

/* Rows of a tensor (time, neurons): `apart` counts numbers from one step to the next, 0 for one
 * row; at most one step's numbers of 2^31. What is not given, or not kept, points anywhere. */
#define AT(apart) (t * (long long)(apart) + i)
#define KEPT(k) kept[(row * STATE_COUNT + (k)) * size + i]

#define FROM(k) , const stored *__restrict__ from##k
#define VALUE(k, single) , const stored *__restrict__ value##k
#define TO(k) , stored *__restrict__ rows##k, const int kept##k, stored *__restrict__ to##k
#define GRAD(k)                                                                           \
    , const stored *__restrict__ rows##k, const int given##k, const int apart##k,         \
        const stored *__restrict__ last##k, const int ends##k, stored *__restrict__ to##k
#define TOTAL(k) , real *__restrict__ total##k

#define START(k) real s##k = LOAD(from##k[i]);
#define LOAD_VALUE(k, single)                            \
    const real p##k = LOAD(value##k[(single) ? 0 : i]); \
    (void)p##k;
#define MADE(k) real n##k;
#define GO_ON(k) s##k = n##k;
#define RECORD(k) \
    if (kept##k)  \
        rows##k[AT(size)] = SAVE(n##k);
#define END(k) to##k[i] = SAVE(s##k);

extern "C" __global__ void forward(const int steps, const int size, const stored *__restrict__ x_,
                                   const int x_apart, stored *__restrict__ spk_,
                                   const int spk_kept STATES(FROM) VALUES(VALUE) STATES(TO))
{
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size)
        return;
    VALUES(LOAD_VALUE)
    STATES(START)
#pragma unroll 4
    for (int t = 0; t < steps; t++) {
        const real x = LOAD(x_[AT(x_apart)]);
        (void)x;
        real spk;
        STATES(MADE)
        STEP
        if (spk_kept)
            spk_[AT(size)] = SAVE(spk);
        STATES(RECORD)
        STATES(GO_ON)
    }
    STATES(END)
}

#define KEEP(k) KEPT(k) = s##k;
#define TAKE(k) s##k = KEPT(k);
#define ONE_STEP                              \
    {                                         \
        const real x = LOAD(x_[AT(x_apart)]); \
        (void)x;                              \
        real spk;                             \
        STATES(MADE)                          \
        STEP                                  \
        (void)spk;                            \
        STATES(GO_ON)                         \
    }
#define CARRY(k) real c##k = ends##k ? LOAD(last##k[i]) : 0;
#define SUM(k) real sum##k = 0;
#define LOAD_GRAD(k) const real g##k = c##k + (given##k ? LOAD(rows##k[AT(apart##k)]) : 0);
#define LED(k) real d##k;
#define OWED(k) real q##k;
#define CARRY_ON(k) c##k = d##k;
#define ADD(k) sum##k += q##k;
#define LED_TO(k) to##k[i] = SAVE(c##k);
#define ADD_UP(k) total##k[i] = sum##k;

extern "C" __global__ void backward(const int steps, const int size, const int segments,
                                    const int length, real *__restrict__ kept,
                                    const stored *__restrict__ x_, const int x_apart,
                                    stored *__restrict__ d_x_, const int each,
                                    const stored *__restrict__ spk_, const int spk_given,
                                    const int spk_apart STATES(FROM) VALUES(VALUE) STATES(GRAD)
                                        LEARNED(TOTAL))
{
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size)
        return;
    VALUES(LOAD_VALUE)
    STATES(START)
    for (long long row = 0; row < segments; row++) {
        STATES(KEEP)
        if (row < segments - 1)
            for (int t = (int)row * length; t < ((int)row + 1) * length; t++)
                ONE_STEP
    }
    STATES(CARRY)
    LEARNED(SUM)
    real sum_x = 0;
    for (int segment = segments - 1; segment >= 0; segment--) {
        const int begin = segment * length;
        const int end = steps - begin < length ? steps : begin + length;
        long long row = segment;
        STATES(TAKE)
        row = segments;
        for (int t = begin; t < end; t++, row++) {
            STATES(KEEP)
            ONE_STEP
        }
        for (int t = end - 1; t >= begin; t--) {
            row--;
            STATES(TAKE)
            const real x = LOAD(x_[AT(x_apart)]);
            const real g_spk = spk_given ? LOAD(spk_[AT(spk_apart)]) : 0;
            (void)x;
            (void)g_spk;
            real d_x;
            STATES(LOAD_GRAD)
            STATES(LED)
            LEARNED(OWED)
            BACK
            if (each)
                d_x_[AT(size)] = SAVE(d_x);
            else
                sum_x += d_x;
            STATES(CARRY_ON)
            LEARNED(ADD)
        }
    }
    if (!each)
        d_x_[i] = SAVE(sum_x);
    STATES(LED_TO)
    LEARNED(ADD_UP)
}
