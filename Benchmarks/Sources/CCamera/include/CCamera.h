// SPDX-License-Identifier: Apache-2.0
// Nothing to call: the library works by being preloaded (see Camera.c).
#pragma once
