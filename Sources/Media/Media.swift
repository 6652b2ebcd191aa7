// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import CCairo
