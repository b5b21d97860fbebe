/** Pictures that a generation starts from: reading, and resizing as the reference does. */
package io.github.urae.image;
