// SPDX-License-Identifier: Apache-2.0
// Types and prototypes of OpenVINO's C API. Nothing is linked: Inference opens the library at run time.
#pragma once
#if !__has_include(<openvino/c/openvino.h>)
#error "OpenVINO's headers are missing: run `make deps`"
#else
#include <openvino/c/openvino.h>
#endif
