// SPDX-License-Identifier: Apache-2.0
// FFmpeg 5.1 to 7.1. The static inlines give Swift what it cannot import (macros with casts, variadics, tuples used
// as arrays) and level out what changed between the versions.
#pragma once
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/display.h>
#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <string.h>

static inline int vpipe_averror(int posix_errno) { return AVERROR(posix_errno); }
static inline int vpipe_averror_eof(void) { return AVERROR_EOF; }
static inline int64_t vpipe_nopts(void) { return AV_NOPTS_VALUE; }

// Error tags: macros with casts.
static inline int vpipe_averror_invalid_data(void) { return AVERROR_INVALIDDATA; }
static inline int vpipe_averror_exit(void) { return AVERROR_EXIT; }
static inline int vpipe_averror_demuxer_not_found(void) { return AVERROR_DEMUXER_NOT_FOUND; }
static inline int vpipe_averror_decoder_not_found(void) { return AVERROR_DECODER_NOT_FOUND; }
static inline int vpipe_averror_protocol_not_found(void) { return AVERROR_PROTOCOL_NOT_FOUND; }
static inline int vpipe_averror_option_not_found(void) { return AVERROR_OPTION_NOT_FOUND; }
static inline int vpipe_averror_patchwelcome(void) { return AVERROR_PATCHWELCOME; }
// By status; 499 is any other of the 400s, 500 any of the 500s. Zero for the rest.
static inline int vpipe_averror_http(int status) {
    switch (status) {
    case 400: return AVERROR_HTTP_BAD_REQUEST;
    case 401: return AVERROR_HTTP_UNAUTHORIZED;
    case 403: return AVERROR_HTTP_FORBIDDEN;
    case 404: return AVERROR_HTTP_NOT_FOUND;
    case 499: return AVERROR_HTTP_OTHER_4XX;
    case 500: return AVERROR_HTTP_SERVER_ERROR;
    default: return 0;
    }
}

// AVFrame.pkt_duration became AVFrame.duration in libavutil 57.30 and was removed in 59.
static inline int64_t vpipe_frame_duration(const AVFrame *frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    return frame->duration;
#else
    return frame->pkt_duration;
#endif
}

// Side data of a stream moved into its codec parameters in libavcodec 60.31.
static inline const int32_t *vpipe_stream_display_matrix(const AVStream *stream) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)
    const AVPacketSideData *data = av_packet_side_data_get(
        stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    return data && data->size >= 36 ? (const int32_t *)data->data : NULL;
#else
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return data && size >= 36 ? (const int32_t *)data : NULL;
#endif
}

// Orientation and colour volume, which newer versions copy with the parameters.
static inline int vpipe_stream_copy_side_data(AVStream *to, const AVStream *from) {
#if LIBAVCODEC_VERSION_INT < AV_VERSION_INT(60, 31, 100)
    for (int i = 0; i < from->nb_side_data; i++) {
        const AVPacketSideData *data = &from->side_data[i];
        uint8_t *copy = av_stream_new_side_data(to, data->type, data->size);
        if (!copy) return AVERROR(ENOMEM);
        memcpy(copy, data->data, data->size);
    }
#endif
    return 0;
}

// All that a stream says of itself, for one that holds its packets as they are.
static inline int vpipe_stream_copy_description(AVStream *to, const AVStream *from) {
    int status = avcodec_parameters_copy(to->codecpar, from->codecpar);
    if (status < 0) return status;
    to->sample_aspect_ratio = from->sample_aspect_ratio;
    to->avg_frame_rate = from->avg_frame_rate;
    to->r_frame_rate = from->r_frame_rate;
    to->disposition = from->disposition;
    return vpipe_stream_copy_side_data(to, from);
}

static inline const int32_t *vpipe_frame_display_matrix(const AVFrame *frame) {
    const AVFrameSideData *data = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
    return data && data->size >= 36 ? (const int32_t *)data->data : NULL;
}

// A member of AVFrame until libavutil 58.7, a flag since.
static inline int vpipe_frame_is_interlaced(const AVFrame *frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
    return (frame->flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
    return frame->interlaced_frame;
#endif
}

// Drops what a decoder attached to the frame; side_data is an array of pointers whose order changes while removing.
static inline void vpipe_frame_strip(AVFrame *frame) {
    while (frame->nb_side_data > 0) av_frame_remove_side_data(frame, frame->side_data[0]->type);
    av_dict_free(&frame->metadata);
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    frame->decode_error_flags = 0;
}

// Whether every used plane can be read as rows that follow each other downwards.
static inline int vpipe_frame_is_plain(const AVFrame *frame, int planes, int bytes_per_row) {
    if (!frame->buf[0] || frame->linesize[0] < bytes_per_row) return 0;
    for (int i = 0; i < planes; i++)
        if (!frame->data[i] || frame->linesize[i] <= 0) return 0;
    return 1;
}

// The arrays of an AVFrame are tuples in Swift.
static inline int vpipe_sws_scale(struct SwsContext *scaler, const AVFrame *from, AVFrame *to) {
    return sws_scale(scaler, (const uint8_t *const *)from->data, from->linesize, 0, from->height, to->data, to->linesize);
}

static inline int vpipe_sws_colors(
    struct SwsContext *scaler, int from_matrix, int from_full, int to_matrix, int to_full) {
    return sws_setColorspaceDetails(
        scaler, sws_getCoefficients(from_matrix), from_full, sws_getCoefficients(to_matrix), to_full, 0, 1 << 16, 1 << 16);
}

// The formats an encoder takes: a list in AVCodec until libavcodec 61.13, a query after it. NULL: any.
static inline const enum AVPixelFormat *vpipe_encoder_formats(const AVCodec *codec) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
    const void *list = NULL;
    int count = 0;
    if (avcodec_get_supported_config(NULL, codec, AV_CODEC_CONFIG_PIX_FORMAT, 0, &list, &count) < 0) return NULL;
    return (const enum AVPixelFormat *)list;
#else
    return codec->pix_fmts;
#endif
}

// Custom output: write_packet's buffer became const in libavformat 61.
static inline AVIOContext *vpipe_avio_writer(
    int buffer_size, void *opaque, int (*write)(void *, const uint8_t *, int), int64_t (*seek)(void *, int64_t, int)) {
    unsigned char *buffer = (unsigned char *)av_malloc((size_t)buffer_size);
    if (!buffer) return NULL;
#if LIBAVFORMAT_VERSION_MAJOR >= 61
    AVIOContext *context = avio_alloc_context(buffer, buffer_size, 1, opaque, NULL, write, seek);
#else
    AVIOContext *context = avio_alloc_context(
        buffer, buffer_size, 1, opaque, NULL, (int (*)(void *, uint8_t *, int))write, seek);
#endif
    if (!context) av_free(buffer);
    return context;
}

static inline void vpipe_avio_writer_free(AVIOContext **context) {
    if (*context) av_freep(&(*context)->buffer);
    avio_context_free(context);
}

// Logging: a va_list cannot be passed on portably, so the line is formatted here, on the stack. The static is touched
// by these two functions only, which always land in the same object file as each other.
static void (*vpipe_log_sink)(int level, const char *line) = NULL;
static inline void vpipe_log_callback(void *object, int level, const char *format, va_list arguments) {
    level &= 0xff;
    if (level > AV_LOG_WARNING || !vpipe_log_sink || !format) return;
    char line[512];
    int prefix = 1;
    line[0] = 0;
    av_log_format_line2(object, level, format, arguments, line, (int)sizeof line, &prefix);
    line[sizeof line - 1] = 0;
    vpipe_log_sink(level, line);
}
static inline void vpipe_log_to(void (*sink)(int level, const char *line)) {
    vpipe_log_sink = sink;
    av_log_set_callback(vpipe_log_callback);
}
