#include "matrix.h"

#include <stdint.h>
#include <stdlib.h>

#define BLOCK 64

Matrix matrix_new(size_t rows, size_t cols)
{
    Matrix m = {rows, cols, NULL};
    if (rows == 0 || cols == 0 || rows > SIZE_MAX / sizeof(double) / cols)
        return m;
    m.data = calloc(rows * cols, sizeof(double));
    return m;
}

void matrix_free(Matrix *m)
{
    free(m->data);
    m->data = NULL;
}

Matrix matrix_read(FILE *in)
{
    Matrix m = {0, 0, NULL};
    size_t rows, cols;
    if (fscanf(in, "%zu %zu", &rows, &cols) != 2)
        return m;
    m = matrix_new(rows, cols);
    if (!m.data)
        return m;
    for (size_t i = 0; i < rows * cols; i++) {
        if (fscanf(in, "%lf", &m.data[i]) != 1) {
            matrix_free(&m);
            return m;
        }
    }
    return m;
}

void matrix_print(const Matrix *m, FILE *out)
{
    fprintf(out, "%zu %zu\n", m->rows, m->cols);
    for (size_t i = 0; i < m->rows; i++)
        for (size_t j = 0; j < m->cols; j++)
            fprintf(out, "%g%c", m->data[i * m->cols + j], j + 1 < m->cols ? ' ' : '\n');
}

Matrix matrix_mul_naive(const Matrix *a, const Matrix *b)
{
    Matrix c = {0, 0, NULL};
    if (a->cols != b->rows)
        return c;
    c = matrix_new(a->rows, b->cols);
    if (!c.data)
        return c;
    for (size_t i = 0; i < a->rows; i++)
        for (size_t j = 0; j < b->cols; j++) {
            double sum = 0;
            for (size_t k = 0; k < a->cols; k++)
                sum += a->data[i * a->cols + k] * b->data[k * b->cols + j];
            c.data[i * c.cols + j] = sum;
        }
    return c;
}

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

Matrix matrix_mul_blocked(const Matrix *a, const Matrix *b)
{
    Matrix c = {0, 0, NULL};
    if (a->cols != b->rows)
        return c;
    c = matrix_new(a->rows, b->cols);
    if (!c.data)
        return c;
    for (size_t ii = 0; ii < a->rows; ii += BLOCK)
        for (size_t kk = 0; kk < a->cols; kk += BLOCK)
            for (size_t jj = 0; jj < b->cols; jj += BLOCK)
                for (size_t i = ii; i < min(ii + BLOCK, a->rows); i++)
                    for (size_t k = kk; k < min(kk + BLOCK, a->cols); k++) {
                        double x = a->data[i * a->cols + k];
                        for (size_t j = jj; j < min(jj + BLOCK, b->cols); j++)
                            c.data[i * c.cols + j] += x * b->data[k * b->cols + j];
                    }
    return c;
}

double matrix_max_difference(const Matrix *a, const Matrix *b)
{
    double max = 0;
    if (a->rows != b->rows || a->cols != b->cols)
        return INFINITY;
    for (size_t i = 0; i < a->rows * a->cols; i++) {
        double d = fabs(a->data[i] - b->data[i]);
        if (!(d <= max))
            max = d;
    }
    return max;
}
