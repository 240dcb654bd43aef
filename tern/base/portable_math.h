// SPDX-License-Identifier: MIT
// Exp and Log in double from IEEE additions, multiplications and divisions alone, so that they give
// the same bits on every machine, which the C library's do not. For host code outside the kernels
// (random numbers, sampling, scores); within about 2 ulp, one value at a time.
#pragma once

namespace tern {

// e^x. Infinity above 709; 0 below -708, where the result would be close to subnormal.
double PortableExp(double x);

// Natural logarithm of a positive normal number.
double PortableLog(double x);

}  // namespace tern
