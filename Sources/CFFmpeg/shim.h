// SPDX-License-Identifier: Apache-2.0
// FFmpeg 5.1 to 7.1. The static inlines give Swift what it cannot import: macros with casts.
#pragma once
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/display.h>
#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

static inline int vpipe_averror(int posix_errno) { return AVERROR(posix_errno); }
static inline int vpipe_averror_eof(void) { return AVERROR_EOF; }
static inline int64_t vpipe_nopts(void) { return AV_NOPTS_VALUE; }
