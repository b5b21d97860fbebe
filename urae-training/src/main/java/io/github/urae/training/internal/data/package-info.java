/** What is trained on: pictures with captions, their caches, and the order in which they come. */
package io.github.urae.training.internal.data;
