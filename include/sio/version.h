/*
 * version.h -- the version of libsio that a program is compiled against.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_VERSION_H
#define SIO_VERSION_H

#define SIO_VERSION "0.1.0"
#define SIO_VERSION_NUMBER 0x000100 /* 0xMMmmpp */

#endif
