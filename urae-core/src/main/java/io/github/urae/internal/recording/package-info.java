/** What a recording of Java Flight Recorder holds of this library. */
package io.github.urae.internal.recording;
