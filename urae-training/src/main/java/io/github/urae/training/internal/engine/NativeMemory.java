package io.github.urae.training.internal.engine;

/**
 * What the process holds of libtorch's objects.
 *
 * @param pointers objects that Java owns
 * @param pointerBytes what those that tell their size take
 * @param processBytes resident memory of the whole process, file pages included
 */
public record NativeMemory(long pointers, long pointerBytes, long processBytes) {}
