// SPDX-License-Identifier: Apache-2.0
// A camera at this machine's own speed, where no kernel driver can be loaded: preloaded into a program, it stands behind
// one path and answers the V4L2 calls made there, as a USB camera with one format, one size and one rate would.
//
//     CAMERA_NODE=/dev/video9 CAMERA_PICTURES=pictures.mjpeg CAMERA_MODE=MJPG:1280x720@30 \
//         LD_PRELOAD=.../libcamera.so vpipe run pipelines/webcam.json
//
// The pictures are those of a file, over and over: JPEGs one after another, or raw pictures. A thread is the sensor: each
// time a picture is due it fills the oldest buffer that it was given, or counts a picture lost. Stamps are the times at
// which pictures were due, of the monotonic clock. A descriptor in the mode EFD_SEMAPHORE stands for the device, so that
// poll() waits on it as on a driver.
//
// Source: Linux media documentation, "Video for Linux API".
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BUFFERS = 32, MOST_PICTURES = 4096 };

// Filled buffers, and empty ones: a driver gives and takes both in order.
typedef struct { struct v4l2_buffer entries[MOST_BUFFERS]; unsigned first, count; } queue;

static struct {
    pthread_mutex_t lock;
    const char *node;
    unsigned width, height, rate, fourcc;
    const unsigned char *pictures[MOST_PICTURES];
    unsigned lengths[MOST_PICTURES], picture_count, next_picture, largest;
    int descriptor, memory;
    unsigned char *buffers;
    unsigned buffer_count, sequence;
    queue empty, filled;
    bool streams;
    pthread_t sensor;
} camera = {.lock = PTHREAD_MUTEX_INITIALIZER, .descriptor = -1, .memory = -1};

static void fail(const char *what) {
    fprintf(stderr, "camera: %s\n", what);
    _exit(2);
}

static void push(queue *queue, struct v4l2_buffer buffer) {
    if (queue->count < MOST_BUFFERS) queue->entries[(queue->first + queue->count++) % MOST_BUFFERS] = buffer;
}

static struct v4l2_buffer pop(queue *queue) {
    struct v4l2_buffer buffer = queue->entries[queue->first];
    queue->first = (queue->first + 1) % MOST_BUFFERS, queue->count--;
    return buffer;
}

static unsigned room(void) { return (camera.largest + 4095) & ~4095u; }

static void add_picture(const unsigned char *bytes, size_t length) {
    if (camera.picture_count == MOST_PICTURES) return;
    camera.pictures[camera.picture_count] = bytes;
    camera.lengths[camera.picture_count++] = length;
    if (length > camera.largest) camera.largest = length;
}

static void read_pictures(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) || !status.st_size) fail("CAMERA_PICTURES names no file with pictures");
    const unsigned char *all = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (all == MAP_FAILED) fail("cannot map the pictures");
    close(file);
    size_t size = status.st_size, begin = 0;
    if (camera.fourcc == V4L2_PIX_FMT_MJPEG) {
        // Inside a picture the byte after FF is never D9, so FF D9 ends it.
        for (size_t i = 1; i < size; i++)
            if (all[i - 1] == 0xff && all[i] == 0xd9) add_picture(all + begin, i + 1 - begin), begin = i + 1;
    } else {
        bool is_422 = camera.fourcc == V4L2_PIX_FMT_YUYV || camera.fourcc == V4L2_PIX_FMT_UYVY;
        size_t length = (size_t)camera.width * camera.height * (is_422 ? 4 : 3) / 2;
        for (; begin + length <= size; begin += length) add_picture(all + begin, length);
    }
    if (!camera.picture_count) fail("the file holds no whole picture of this mode");
}

__attribute__((constructor)) static void prepare(void) {
    char code[5] = "";
    const char *mode = getenv("CAMERA_MODE"), *pictures = getenv("CAMERA_PICTURES");
    camera.node = getenv("CAMERA_NODE");
    if (!camera.node || !mode || !pictures) return;
    if (sscanf(mode, "%4c:%ux%u@%u", code, &camera.width, &camera.height, &camera.rate) != 4 || !camera.rate)
        fail("CAMERA_MODE is not of the form MJPG:1280x720@30");
    camera.fourcc = v4l2_fourcc(code[0], code[1], code[2], code[3]);
    read_pictures(pictures);
}

// MARK: The sensor

static void *expose(void *unused) {
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    while (true) {
        due.tv_nsec += 1000000000 / camera.rate;
        if (due.tv_nsec >= 1000000000) due.tv_nsec -= 1000000000, due.tv_sec++;
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {}
        pthread_mutex_lock(&camera.lock);
        if (!camera.streams) break;
        if (camera.empty.count) {
            struct v4l2_buffer buffer = pop(&camera.empty);
            unsigned picture = camera.next_picture++ % camera.picture_count;
            memcpy(camera.buffers + (size_t)buffer.index * room(), camera.pictures[picture], camera.lengths[picture]);
            buffer.bytesused = camera.lengths[picture];
            buffer.sequence = camera.sequence;
            buffer.timestamp = (struct timeval){due.tv_sec, due.tv_nsec / 1000};
            push(&camera.filled, buffer);
            eventfd_write(camera.descriptor, 1);
        }
        camera.sequence++;
        pthread_mutex_unlock(&camera.lock);
    }
    pthread_mutex_unlock(&camera.lock);
    return NULL;
}

static int start(void) {
    camera.streams = true;
    camera.sequence = 0;
    return pthread_create(&camera.sensor, NULL, expose, NULL);
}

// The lock is held, and left for the time that the sensor needs to see it.
static int stop(void) {
    if (!camera.streams) return 0;
    camera.streams = false;
    pthread_mutex_unlock(&camera.lock);
    pthread_join(camera.sensor, NULL);
    pthread_mutex_lock(&camera.lock);
    eventfd_t left;
    while (camera.filled.count) pop(&camera.filled), eventfd_read(camera.descriptor, &left);
    camera.empty.count = 0;
    return 0;
}

// MARK: The calls

static int allocate(struct v4l2_requestbuffers *wanted) {
    if (camera.buffers) munmap(camera.buffers, (size_t)room() * camera.buffer_count), camera.buffers = NULL;
    if (wanted->count > MOST_BUFFERS) wanted->count = MOST_BUFFERS;
    camera.buffer_count = wanted->count;
    if (!wanted->count) return 0;
    // New memory: what was mapped before stays with those who mapped it.
    if (camera.memory >= 0) close(camera.memory);
    size_t size = (size_t)room() * wanted->count;
    camera.memory = memfd_create("camera", MFD_CLOEXEC);
    if (camera.memory < 0 || ftruncate(camera.memory, size)) return ENOMEM;
    camera.buffers = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, camera.memory, 0);
    return camera.buffers == MAP_FAILED ? ENOMEM : 0;
}

static void describe(struct v4l2_pix_format *format) {
    bool is_422 = camera.fourcc == V4L2_PIX_FMT_YUYV || camera.fourcc == V4L2_PIX_FMT_UYVY;
    format->width = camera.width, format->height = camera.height, format->pixelformat = camera.fourcc;
    format->field = V4L2_FIELD_NONE, format->sizeimage = room();
    format->bytesperline = camera.fourcc == V4L2_PIX_FMT_MJPEG ? 0 : is_422 ? 2 * camera.width : camera.width;
    format->colorspace =
        camera.fourcc == V4L2_PIX_FMT_MJPEG ? V4L2_COLORSPACE_JPEG : V4L2_COLORSPACE_SMPTE170M;
}

static int answer(unsigned long request, void *argument) {
    switch (request) {
        case VIDIOC_QUERYCAP: {
            struct v4l2_capability *found = argument;
            memset(found, 0, sizeof *found);
            strcpy((char *)found->driver, "preloaded"), strcpy((char *)found->card, "Pictures of a file");
            found->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
            return 0;
        }
        case VIDIOC_ENUM_FMT: {
            struct v4l2_fmtdesc *entry = argument;
            entry->pixelformat = camera.fourcc;
            return entry->index ? EINVAL : 0;
        }
        case VIDIOC_ENUM_FRAMESIZES: {
            struct v4l2_frmsizeenum *entry = argument;
            entry->type = V4L2_FRMSIZE_TYPE_DISCRETE;
            entry->discrete.width = camera.width, entry->discrete.height = camera.height;
            return entry->index ? EINVAL : 0;
        }
        case VIDIOC_ENUM_FRAMEINTERVALS: {
            struct v4l2_frmivalenum *entry = argument;
            entry->type = V4L2_FRMIVAL_TYPE_DISCRETE;
            entry->discrete.numerator = 1, entry->discrete.denominator = camera.rate;
            return entry->index ? EINVAL : 0;
        }
        case VIDIOC_G_FMT:
        case VIDIOC_S_FMT: describe(&((struct v4l2_format *)argument)->fmt.pix); return 0;
        case VIDIOC_G_PARM:
        case VIDIOC_S_PARM: {
            struct v4l2_captureparm *capture = &((struct v4l2_streamparm *)argument)->parm.capture;
            capture->capability = V4L2_CAP_TIMEPERFRAME;
            capture->timeperframe = (struct v4l2_fract){1, camera.rate};
            return 0;
        }
        case VIDIOC_REQBUFS: return allocate(argument);
        case VIDIOC_QUERYBUF: {
            struct v4l2_buffer *buffer = argument;
            if (buffer->index >= camera.buffer_count) return EINVAL;
            buffer->length = room(), buffer->m.offset = buffer->index * room();
            return 0;
        }
        case VIDIOC_QBUF: {
            struct v4l2_buffer *buffer = argument;
            if (buffer->index >= camera.buffer_count) return EINVAL;
            push(&camera.empty, *buffer);
            return 0;
        }
        case VIDIOC_DQBUF: {
            eventfd_t one;
            if (!camera.filled.count) return EAGAIN;
            *(struct v4l2_buffer *)argument = pop(&camera.filled);
            eventfd_read(camera.descriptor, &one);
            return 0;
        }
        case VIDIOC_STREAMON: return start();
        case VIDIOC_STREAMOFF: return stop();
        default: return ENOTTY;
    }
}

// MARK: What is put in the place of the C library's and libv4l2's

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (!camera.node || strcmp(path, camera.node)) {
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
        return real(path, flags, mode);
    }
    pthread_mutex_lock(&camera.lock);
    int descriptor = -1;
    if (camera.streams) {
        errno = EBUSY;
    } else {
        descriptor = camera.descriptor = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
    }
    pthread_mutex_unlock(&camera.lock);
    return descriptor;
}

// The same call where files' offsets have 64 bits anyway.
int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int v4l2_ioctl(int descriptor, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (descriptor < 0 || descriptor != camera.descriptor) {
        int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "v4l2_ioctl");
        return real(descriptor, request, argument);
    }
    pthread_mutex_lock(&camera.lock);
    int status = answer(request, argument);
    pthread_mutex_unlock(&camera.lock);
    if (status) errno = status;
    return status ? -1 : 0;
}

int v4l2_close(int descriptor) {
    if (descriptor >= 0 && descriptor == camera.descriptor) {
        pthread_mutex_lock(&camera.lock);
        stop();
        camera.descriptor = -1;
        pthread_mutex_unlock(&camera.lock);
    }
    return close(descriptor);
}

void *mmap(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) {
    static void *(*real)(void *, size_t, int, int, int, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "mmap");
    bool is_camera = descriptor >= 0 && descriptor == camera.descriptor;
    return real(address, length, protection, flags, is_camera ? camera.memory : descriptor, offset);
}
