package io.github.urae.onnx.internal.graph;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

class VaeGraphTest {

  /** The last of ONNX's operator sets whose instance normalisation CUDA has. */
  private static final long LAST_WITH_CUDA = 21;

  @Test
  void normalisationIsOfAVersionThatCudaHas() throws IOException {
    VaeConfig config = Checkpoint.open(TestData.checkpoint()).vae();
    for (NetworkGraph graph :
        List.of(VaeDecoderGraph.build(config), VaeEncoderGraph.build(config))) {
      GraphProto nodes = graph.graph();
      assertThat(nodes.getNodeList())
          .extracting(NodeProto::getOpType)
          .contains("InstanceNormalization");
      assertThat(graph.model(nodes).getOpsetImportList())
          .filteredOn(set -> set.getDomain().isEmpty())
          .extracting(OperatorSetIdProto::getVersion)
          .singleElement()
          .satisfies(version -> assertThat(version).isLessThanOrEqualTo(LAST_WITH_CUDA));
    }
  }
}
