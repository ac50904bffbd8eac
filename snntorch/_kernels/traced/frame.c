/* A neuron class over a whole sequence. What is written for the class comes before this text:
 *
 *   FLOAT32, FLOAT64, FLOAT16 or BFLOAT16
 *                          what tensors hold
 *   real                   float or double: what is computed with
 *   STATES(X)              X(0) X(1) ...: once for each state
 *   VALUES(X)              X(0, single) ...: for each parameter, and whether it is but one number
 *   LEARNED(X)             X(0) ...: for each of them whose gradient is wanted
 *   STEP                   from x, s0.., p0.. to spk, n0..: one step of one neuron
 *   BACK                   from these, g_spk, g0.. to d_x, d0.., q0..: its derivative
 *
 * Neurons don't depend on each other, so each thread takes a block of them through all steps.
 * The backward pass first runs the block forward once more, and keeps the states of all steps.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <tgmath.h>

#if defined(__clang__)
#define EACH _Pragma("clang loop vectorize(assume_safety)") for (int64_t i = 0; i < n; i++)
#else
#define EACH _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++)
#endif
#define INLINE static inline __attribute__((always_inline))

/* Numbers in memory; half as long ones are computed with in float, and each result rounded. */
#if defined(BFLOAT16)
typedef uint16_t stored;
INLINE float load(stored number)
{
    const uint32_t bits = (uint32_t)number << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
INLINE float rounded(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    float near;
    memcpy(&near, &bits, sizeof near);
    return value != value ? value : near;
}
INLINE stored save(float value)
{
    const float near = rounded(value);
    uint32_t bits;
    memcpy(&bits, &near, sizeof bits);
    return value != value ? 0x7fc0 : bits >> 16;
}
#define LOAD(number) load(number)
#define SAVE(value) save(value)
#define ROUND(value) rounded(value)
#else
#ifdef FLOAT16
#ifndef __FLT16_MAX__
#error "this compiler knows no _Float16"
#endif
typedef _Float16 stored;
#else
typedef real stored;
#endif
#define LOAD(number) ((real)(number))
#define SAVE(value) ((stored)(value))
#define ROUND(value) LOAD(SAVE(value))
#endif

/* Below this many neuron-steps a second thread costs more than it gives. */
#define PARALLEL_FROM 32768
/* Neurons in a block, at most and at least; in between, what keeps its states in cache. */
#define MOST 512
#define LEAST 128
#define CACHE (256 * 1024)

#define COUNT(...) +1
enum { STATE_COUNT = 0 STATES(COUNT), VALUE_COUNT = 0 VALUES(COUNT) };
#define PLACE(k) PLACE_##k,
enum { LEARNED(PLACE) LEARNED_COUNT };

typedef void Parallel(void (*run)(void *), void *data, unsigned threads, unsigned flags);

/* A tensor (time, neurons); stride counts numbers from one step to the next, 0 for one row. */
typedef struct {
    stored *data;
    int64_t stride;
} Rows;

/* Forward, spk and states are what is recorded; backward, the gradients of it. */
typedef struct {
    int64_t backward, steps, size, threads;
    Parallel *parallel;
    Rows x, d_x, spk, states[STATE_COUNT];
    const stored *from[STATE_COUNT], *last[STATE_COUNT], *value[VALUE_COUNT];
    stored *to[STATE_COUNT];
    real *total[LEARNED_COUNT];
    int64_t next, block, failed; /* what the threads share: the next neuron to take */
} Work;

/* exp to the last digit or two, without a branch: 2^k e^r with k whole; adding 1.5 times the
 * largest power of two that still has ones leaves k in the lowest bits. 0 if it is tiny. */
#define DEFINE_EXP(type, bits, fraction, bias, degree)                                         \
    INLINE type exp_##type(type x)                                                             \
    {                                                                                          \
        static const type over[] = {1.0,           1.0,            1.0 / 2,     1.0 / 6,       \
                                    1.0 / 24,      1.0 / 120,      1.0 / 720,   1.0 / 5040,    \
                                    1.0 / 40320,   1.0 / 362880,   1.0 / 3628800,              \
                                    1.0 / 39916800, 1.0 / 479001600};                          \
        const type magic = (type)1.5 * ((int64_t)1 << (fraction));                             \
        const type low = (type)(1.5 - (bias) * 0x1.62e42fefa39efp-1);                          \
        const type high = (type)(((bias) + 2) * 0x1.62e42fefa39efp-1);                         \
        const type in = x < low ? low : x > high ? high : x;                                   \
        const type shifted = in * (type)0x1.71547652b82fep0 + magic, k = shifted - magic;      \
        const type r = (in - k * (type)0x1.62e4p-1) - k * (type)0x1.7f7d1cf79abcap-20;         \
        type e = over[degree], scale;                                                          \
        _Pragma("GCC unroll 12") for (int power = (degree) - 1; power >= 0; power--)           \
            e = e * r + over[power];                                                           \
        bits shift;                                                                            \
        memcpy(&shift, &shifted, sizeof shift);                                                \
        shift = (shift + (bias) - 1) << (fraction);                                            \
        memcpy(&scale, &shift, sizeof scale);                                                  \
        return x < low ? 0 : e * scale * 2;                                                    \
    }
DEFINE_EXP(float, uint32_t, 23, 127, 7)
DEFINE_EXP(double, uint64_t, 52, 1023, 12)
#define EXP(x) _Generic((x), double: exp_double, default: exp_float)(x)

/* Where the states of a block are kept before step t, and after it. */
#define ROW(t, k) (trail + ((t) * STATE_COUNT + (k)) * work->block)
#define OLD(k) const real *old##k = ROW(keep ? t : t & 1, k);
#define NEW(k) real *new##k = ROW(keep ? t + 1 : ~t & 1, k);
#define OUT(k) stored *out##k = work->states[k].data + t * work->states[k].stride + at;
#define VALUE(k, single)                                           \
    const stored *value##k = work->value[k] + ((single) ? 0 : at); \
    const real first##k = LOAD(*value##k);                         \
    (void)first##k;
#define LOAD_STATE(k) const real s##k = old##k[i];
#define LOAD_VALUE(k, single)                                  \
    const real p##k = (single) ? first##k : LOAD(value##k[i]); \
    (void)p##k;
#define MADE(k) real n##k;
#define STORE(k) new##k[i] = n##k;
#define RECORD(k) out##k[i] = SAVE(n##k);

INLINE void forward(const Work *work, int64_t at, int64_t n, real *trail, const int keep)
{
    VALUES(VALUE)
    for (int64_t t = 0; t < work->steps; t++) {
        STATES(OLD)
        STATES(NEW)
        STATES(OUT)
        const stored *x_ = work->x.data + t * work->x.stride + at;
        stored *spk_ = work->spk.data + t * work->spk.stride + at;
        EACH {
            const real x = LOAD(x_[i]);
            real spk;
            STATES(LOAD_STATE)
            VALUES(LOAD_VALUE)
            STATES(MADE)
            STEP
            STATES(STORE)
            if (!keep) {
                spk_[i] = SAVE(spk);
                STATES(RECORD)
            }
        }
    }
}

#define CARRY(k) real *carry##k = carry + (k) * work->block;
#define GRAD(k) const stored *grad##k = work->states[k].data + t * work->states[k].stride + at;
#define TOTAL(k) real *total##k = work->total[PLACE_##k] + at;
#define LOAD_GRAD(k) const real g##k = carry##k[i] + LOAD(grad##k[i]);
#define LED(k) real d##k;
#define OWED(k) real q##k;
#define CARRY_ON(k) carry##k[i] = d##k;
#define SUM(k) total##k[i] += q##k;

INLINE void backward(const Work *work, int64_t at, int64_t n, real *trail, real *carry)
{
    const int keep = 1;
    VALUES(VALUE)
    LEARNED(TOTAL)
    STATES(CARRY)
    for (int64_t t = work->steps - 1; t >= 0; t--) {
        STATES(OLD)
        STATES(GRAD)
        const stored *x_ = work->x.data + t * work->x.stride + at;
        const stored *spk_ = work->spk.data + t * work->spk.stride + at;
        stored *d_x_ = work->d_x.data + t * work->d_x.stride + at;
        EACH {
            const real x = LOAD(x_[i]), g_spk = LOAD(spk_[i]);
            real d_x;
            STATES(LOAD_STATE)
            STATES(LOAD_GRAD)
            VALUES(LOAD_VALUE)
            STATES(LED)
            LEARNED(OWED)
            (void)x;
            (void)g_spk;
            BACK
            d_x_[i] = SAVE(work->d_x.stride ? d_x : LOAD(d_x_[i]) + d_x);
            STATES(CARRY_ON)
            LEARNED(SUM)
        }
    }
}

INLINE void load_all(real *to, const stored *from, int64_t n)
{
    EACH to[i] = LOAD(from[i]);
}

INLINE void save_all(stored *to, const real *from, int64_t n)
{
    EACH to[i] = SAVE(from[i]);
}

#define FROM(k) load_all(ROW(0, k), work->from[k] + at, n);
#define TO(k) save_all(work->to[k] + at, ROW(work->steps & 1, k), n);
#define LAST(k) load_all(carry + (k) * work->block, work->last[k] + at, n);
#define LED_TO(k) save_all(work->to[k] + at, carry + (k) * work->block, n);

/* Take blocks through all steps until there are none. */
static void run(void *data)
{
    Work *work = data;
    const int64_t rows = (work->backward ? work->steps + 2 : 2) * STATE_COUNT;
    real *trail = aligned_alloc(64, rows * work->block * sizeof(real));
    if (!trail) {
        __atomic_store_n(&work->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    real *carry = trail + (rows - STATE_COUNT) * work->block;
    int64_t at;
    while ((at = __atomic_fetch_add(&work->next, work->block, __ATOMIC_RELAXED)) < work->size) {
        const int64_t n = work->size - at < work->block ? work->size - at : work->block;
        STATES(FROM)
        if (work->backward) {
            forward(work, at, n, trail, 1);
            STATES(LAST)
            backward(work, at, n, trail, carry);
            STATES(LED_TO)
        } else {
            forward(work, at, n, trail, 0);
            STATES(TO)
        }
    }
    free(trail);
}

/* Run all steps, forward or backward; returns whether there was memory to work with. OpenMP's
 * own threads are those that torch uses. */
__attribute__((visibility("default"))) int run_all(Work *work)
{
    const int64_t kept = (work->backward ? work->steps + 2 : 2) * STATE_COUNT * sizeof(real);
    int64_t most = CACHE / kept & ~(int64_t)15;
    most = most < LEAST ? LEAST : most > MOST ? MOST : most;
    const int64_t threads = work->steps * work->size < PARALLEL_FROM ? 1 : work->threads;
    int64_t blocks = (work->size + most - 1) / most;
    if (blocks < 4 * threads) /* few: as many for each thread */
        blocks = (blocks + threads - 1) / threads * threads;
    work->block = ((work->size + blocks - 1) / blocks + 15) & ~(int64_t)15;
    if (threads > 1 && work->parallel)
        work->parallel(run, work, (unsigned)threads, 0);
    else
        run(work);
    return !work->failed;
}
