package io.github.urae.weights.internal.quantised;

import io.github.urae.ModelException;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.WeightEncodingProvider;
import java.io.IOException;
import java.util.Map;
import java.util.ServiceLoader;

/** The tensors of a file in those encodings that its format does not name. */
public final class RecognisedEncodings {

  /** What to do about weights that are not read. */
  public static final String WAY_OUT =
      "use the model in bfloat16, as GGUF, in float8, or in NF4 by bitsandbytes";

  private RecognisedEncodings() {}

  /**
   * Asks all providers, then looks for the quantised weights that are known. Reads what describes
   * them, and no weights.
   *
   * @param stored tensors as the file's format describes them
   * @return the tensors in their encodings; the same map where none is recognised
   * @throws IOException if reading fails
   * @throws ModelException if weights are quantised in a way that is not supported
   * @throws io.github.urae.FileFormatException if what belongs to a weight is damaged or missing
   */
  public static Map<String, TensorInfo> of(TensorSource stored) throws IOException {
    Map<String, TensorInfo> tensors = stored.tensors();
    for (WeightEncodingProvider provider :
        ServiceLoader.load(
            WeightEncodingProvider.class, WeightEncodingProvider.class.getClassLoader())) {
      tensors = provider.recognise(tensors, stored.metadata());
    }
    StoredTensors found = new StoredTensors(stored, tensors);
    ForeignForms.refuse(found);
    BitsAndBytes.recognise(found);
    ScaledFloat8.recognise(found);
    ForeignForms.refuseRest(found);
    return found.isChanged() ? found.all() : tensors;
  }
}
