package io.github.urae.server.internal.http;

import io.github.urae.server.internal.job.Drawing;

/**
 * What a caller asks for.
 *
 * @param drawing what to draw
 * @param streamed whether the answer is a stream of events
 * @param links whether pictures are answered as links
 */
record Order(Drawing drawing, boolean streamed, boolean links) {}
