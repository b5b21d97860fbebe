package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.junit.jupiter.api.Test;

class HoldingTest {

  private final Closeable failing =
      () -> {
        throw new IOException("close");
      };

  @Test
  void whatIsDoneIsNotLostWhenClosingFails() {
    assertThat(Holding.<Closeable, String>on(failing, held -> "pictures")).isEqualTo("pictures");
  }

  @Test
  void theWorksOwnFailureComesFirst() {
    assertThatThrownBy(
            () ->
                Holding.on(
                    failing,
                    held -> {
                      throw new IllegalStateException("work");
                    }))
        .hasMessage("work")
        .satisfies(e -> assertThat(e.getSuppressed()[0]).hasMessage("close"));
    assertThatThrownBy(
            () ->
                Holding.on(
                    failing,
                    held -> {
                      throw new IOException("read");
                    }))
        .isInstanceOf(UncheckedIOException.class)
        .hasRootCauseMessage("read");
  }
}
