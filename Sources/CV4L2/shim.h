// SPDX-License-Identifier: Apache-2.0
// Video4Linux 2: the kernel's interface and libv4l2. The static inlines give Swift what it cannot import: request
// numbers (macros with sizeof), the variadic ioctl, unions inside packed structs, and the kernel's macros on colour.
#pragma once
#include <libv4l2.h>
#include <linux/videodev2.h>
#include <sys/eventfd.h>

// A descriptor that libv4l2 was not told of goes straight to the kernel.
static inline int vpipe_v4l2_ioctl(int fd, unsigned long request, void *argument) {
    return v4l2_ioctl(fd, request, argument);
}

// Has libv4l2 convert for a descriptor. It logs to stderr unless told otherwise, also that there is no frame yet.
static inline int vpipe_v4l2_emulate(int fd) {
    if (!v4l2_log_file) v4l2_log_file = fopen("/dev/null", "we");
    return v4l2_fd_open(fd, 0);
}

#define VPIPE_REQUEST(name) \
    static inline unsigned long vpipe_##name(void) { return name; }
VPIPE_REQUEST(VIDIOC_QUERYCAP)
VPIPE_REQUEST(VIDIOC_ENUM_FMT)
VPIPE_REQUEST(VIDIOC_ENUM_FRAMESIZES)
VPIPE_REQUEST(VIDIOC_ENUM_FRAMEINTERVALS)
VPIPE_REQUEST(VIDIOC_G_FMT)
VPIPE_REQUEST(VIDIOC_S_FMT)
VPIPE_REQUEST(VIDIOC_G_PARM)
VPIPE_REQUEST(VIDIOC_S_PARM)
VPIPE_REQUEST(VIDIOC_REQBUFS)
VPIPE_REQUEST(VIDIOC_QUERYBUF)
VPIPE_REQUEST(VIDIOC_QBUF)
VPIPE_REQUEST(VIDIOC_DQBUF)
VPIPE_REQUEST(VIDIOC_STREAMON)
VPIPE_REQUEST(VIDIOC_STREAMOFF)
VPIPE_REQUEST(VIDIOC_ENUMINPUT)
VPIPE_REQUEST(VIDIOC_G_INPUT)
VPIPE_REQUEST(VIDIOC_S_INPUT)
VPIPE_REQUEST(VIDIOC_ENUMSTD)
VPIPE_REQUEST(VIDIOC_S_STD)
VPIPE_REQUEST(VIDIOC_QUERYSTD)
VPIPE_REQUEST(VIDIOC_ENUM_DV_TIMINGS)
VPIPE_REQUEST(VIDIOC_QUERY_DV_TIMINGS)
VPIPE_REQUEST(VIDIOC_S_DV_TIMINGS)
VPIPE_REQUEST(VIDIOC_QUERYCTRL)
VPIPE_REQUEST(VIDIOC_QUERYMENU)
VPIPE_REQUEST(VIDIOC_G_CTRL)
VPIPE_REQUEST(VIDIOC_S_CTRL)
VPIPE_REQUEST(VIDIOC_SUBSCRIBE_EVENT)
VPIPE_REQUEST(VIDIOC_DQEVENT)
#undef VPIPE_REQUEST

// A format of either kind of device, flat: size, code, colour, and a stride and a size for each memory plane.
struct vpipe_v4l2_layout {
    unsigned width, height, fourcc, field, planes;
    unsigned colorspace, encoding, quantization, transfer;
    unsigned stride[VIDEO_MAX_PLANES], size[VIDEO_MAX_PLANES];
};

static inline int vpipe_v4l2_is_multiplanar(unsigned type) { return V4L2_TYPE_IS_MULTIPLANAR(type); }

static inline struct vpipe_v4l2_layout vpipe_v4l2_get_layout(const struct v4l2_format *format) {
    struct vpipe_v4l2_layout flat = {0};
    if (V4L2_TYPE_IS_MULTIPLANAR(format->type)) {
        const struct v4l2_pix_format_mplane *pix = &format->fmt.pix_mp;
        flat.width = pix->width, flat.height = pix->height, flat.fourcc = pix->pixelformat, flat.field = pix->field;
        flat.colorspace = pix->colorspace, flat.encoding = pix->ycbcr_enc;
        flat.quantization = pix->quantization, flat.transfer = pix->xfer_func;
        flat.planes = pix->num_planes < VIDEO_MAX_PLANES ? pix->num_planes : VIDEO_MAX_PLANES;
        for (unsigned i = 0; i < flat.planes; i++)
            flat.stride[i] = pix->plane_fmt[i].bytesperline, flat.size[i] = pix->plane_fmt[i].sizeimage;
    } else {
        const struct v4l2_pix_format *pix = &format->fmt.pix;
        flat.width = pix->width, flat.height = pix->height, flat.fourcc = pix->pixelformat, flat.field = pix->field;
        flat.colorspace = pix->colorspace, flat.encoding = pix->ycbcr_enc;
        flat.quantization = pix->quantization, flat.transfer = pix->xfer_func;
        flat.planes = 1, flat.stride[0] = pix->bytesperline, flat.size[0] = pix->sizeimage;
    }
    return flat;
}

// Asks for whole pictures of a size and a code; colour, strides and sizes are the driver's to say.
static inline void vpipe_v4l2_set_layout(struct v4l2_format *format, unsigned width, unsigned height, unsigned fourcc) {
    if (V4L2_TYPE_IS_MULTIPLANAR(format->type)) {
        format->fmt.pix_mp.width = width, format->fmt.pix_mp.height = height;
        format->fmt.pix_mp.pixelformat = fourcc, format->fmt.pix_mp.field = V4L2_FIELD_NONE;
    } else {
        format->fmt.pix.width = width, format->fmt.pix.height = height;
        format->fmt.pix.pixelformat = fourcc, format->fmt.pix.field = V4L2_FIELD_NONE;
    }
}

// The kernel's defaults for what a driver leaves open, as macros of its header.
static inline unsigned vpipe_v4l2_encoding(const struct vpipe_v4l2_layout *layout) {
    return layout->encoding ? layout->encoding : V4L2_MAP_YCBCR_ENC_DEFAULT(layout->colorspace);
}
static inline unsigned vpipe_v4l2_quantization(const struct vpipe_v4l2_layout *layout, int is_not_ycbcr) {
    return layout->quantization
               ? layout->quantization
               : V4L2_MAP_QUANTIZATION_DEFAULT(is_not_ycbcr, layout->colorspace, vpipe_v4l2_encoding(layout));
}

// Frames per second of digital timings, as a fraction in millionths; a packed struct inside a union.
static inline double vpipe_v4l2_timings_rate(const struct v4l2_dv_timings *timings) {
    const struct v4l2_bt_timings *bt = &timings->bt;
    double total = (double)V4L2_DV_BT_FRAME_WIDTH(bt) * V4L2_DV_BT_FRAME_HEIGHT(bt);
    return total > 0 ? (double)bt->pixelclock / total : 0;
}
static inline unsigned vpipe_v4l2_timings_width(const struct v4l2_dv_timings *timings) { return timings->bt.width; }
static inline unsigned vpipe_v4l2_timings_height(const struct v4l2_dv_timings *timings) { return timings->bt.height; }
static inline int vpipe_v4l2_timings_interlaced(const struct v4l2_dv_timings *timings) {
    return timings->bt.interlaced != 0;
}

// v4l2_event is a packed union; only the fact of a change at the source matters here.
static inline int vpipe_v4l2_is_source_change(const struct v4l2_event *event) {
    return event->type == V4L2_EVENT_SOURCE_CHANGE;
}
