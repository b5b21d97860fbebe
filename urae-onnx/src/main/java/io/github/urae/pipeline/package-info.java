/** Text to image: the checkpoint, the pipeline, and the pictures it makes. */
package io.github.urae.pipeline;
