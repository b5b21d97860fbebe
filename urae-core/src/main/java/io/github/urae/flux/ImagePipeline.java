package io.github.urae.flux;

import io.github.urae.flux.model.ModelInfo;
import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Draws pictures. Services depend on this rather than on a pipeline, so that their tests can do
 * without a model.
 *
 * <p>Implementations are thread-safe. Whoever opens one closes it.
 */
public interface ImagePipeline extends Closeable {

  /**
   * Draws pictures, telling nobody of the progress.
   *
   * @param request what to draw, and how
   * @return one picture for each prompt and image, prompts varying slowest; immutable
   * @throws io.github.urae.InvalidRequestException if the request does not fit the checkpoint
   * @throws io.github.urae.GenerationCancelledException if the thread was interrupted
   * @throws io.github.urae.InferenceException if the engine fails, for want of memory for instance
   * @throws IllegalStateException if this pipeline is closed
   */
  default List<GeneratedImage> generate(GenerationRequest request) {
    return generate(request, RunOptions.NONE);
  }

  /**
   * Draws pictures.
   *
   * @param request what to draw, and how
   * @param options who is told of progress, and what cancels this call; its executor is not used
   * @return one picture for each prompt and image, prompts varying slowest; immutable
   * @throws io.github.urae.InvalidRequestException if the request does not fit the checkpoint
   * @throws io.github.urae.GenerationCancelledException if it was cancelled, or the thread
   *     interrupted
   * @throws io.github.urae.InferenceException if the engine fails, for want of memory for instance
   * @throws java.io.UncheckedIOException if a file of the model cannot be read
   * @throws IllegalStateException if this pipeline is closed
   */
  List<GeneratedImage> generate(GenerationRequest request, RunOptions options);

  /**
   * Draws pictures on another thread, telling nobody of the progress.
   *
   * @param request what to draw, and how
   * @return as below
   * @see #generateAsync(GenerationRequest, RunOptions)
   */
  default CompletableFuture<List<GeneratedImage>> generateAsync(GenerationRequest request) {
    return generateAsync(request, RunOptions.NONE);
  }

  /**
   * Draws pictures on another thread: one of {@link RunOptions#executor()}.
   *
   * @param request what to draw, and how
   * @param options who is told of progress, what cancels this call, and where it runs
   * @return the pictures, or what {@link #generate(GenerationRequest, RunOptions) generate} throws.
   *     Cancelling the future, or completing it in any other way ({@code orTimeout} for instance),
   *     cancels the generation; cancelling a future that was derived from it does not
   */
  default CompletableFuture<List<GeneratedImage>> generateAsync(
      GenerationRequest request, RunOptions options) {
    return AsyncGeneration.start(options, linked -> generate(request, linked));
  }

  /**
   * Works out what a request will take, before anything runs.
   *
   * @param request what would be drawn
   * @return tokens, floating-point operations and memory by phase
   * @throws io.github.urae.InvalidRequestException if the request does not fit the checkpoint
   * @throws IllegalStateException if this pipeline is closed
   */
  GenerationPlan plan(GenerationRequest request);

  /**
   * Returns what is known of the model.
   *
   * @return the same at every call
   */
  ModelInfo model();

  /**
   * Closes the pipeline. Closing twice is harmless.
   *
   * @throws IOException if something cannot be closed
   */
  @Override
  void close() throws IOException;
}
