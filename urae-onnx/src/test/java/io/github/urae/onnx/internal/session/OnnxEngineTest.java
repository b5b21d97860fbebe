package io.github.urae.onnx.internal.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.InvalidRequestException;
import io.github.urae.device.Device;
import io.github.urae.device.Precision;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.graph.LinearArithmetic;
import io.github.urae.tensor.ElementType;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

class OnnxEngineTest {

  private static ElementType onGpu(Precision precision, OptionalInt capability) {
    return OnnxEngine.arithmetic(Device.cuda(0), precision, capability).type();
  }

  @Test
  void autoIsWhatTheDeviceHas() {
    assertThat(OnnxEngine.arithmetic(Device.cpu(), Precision.AUTO))
        .isEqualTo(new Arithmetic(ElementType.F32, LinearArithmetic.AS_STORED));
    assertThat(onGpu(Precision.AUTO, OptionalInt.of(7))).isEqualTo(ElementType.F16);
    assertThat(onGpu(Precision.AUTO, OptionalInt.of(8))).isEqualTo(ElementType.BF16);
    assertThat(onGpu(Precision.AUTO, OptionalInt.of(12))).isEqualTo(ElementType.BF16);
    assertThat(onGpu(Precision.AUTO, OptionalInt.empty())).isEqualTo(ElementType.BF16);
  }

  @Test
  void fastIsIntegersOnTheProcessorAndTheDevicesOwnOnAGpu() {
    assertThat(OnnxEngine.arithmetic(Device.cpu(), Precision.FAST))
        .isEqualTo(OnnxEngine.arithmetic(Device.cpu(), Precision.INT8))
        .extracting(Arithmetic::linear)
        .isEqualTo(LinearArithmetic.INT8);
    OptionalInt ampere = OptionalInt.of(8);
    assertThat(OnnxEngine.arithmetic(Device.cuda(0), Precision.FAST, ampere))
        .isEqualTo(OnnxEngine.arithmetic(Device.cuda(0), Precision.AUTO, ampere));
    assertThatThrownBy(() -> OnnxEngine.arithmetic(Device.cuda(0), Precision.INT8, ampere))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("int8 is the processor's");
  }

  @Test
  void fewerBitsAWeightGoWithTheDevicesOwnType() {
    assertThat(OnnxEngine.arithmetic(Device.cpu(), Precision.Q8))
        .isEqualTo(new Arithmetic(ElementType.F32, LinearArithmetic.Q8));
    assertThat(OnnxEngine.arithmetic(Device.cuda(0), Precision.Q4, OptionalInt.of(7)))
        .isEqualTo(new Arithmetic(ElementType.F16, LinearArithmetic.Q4));
  }

  /** It takes private members of ONNX Runtime's Java part, which an upgrade may change. */
  @Test
  void theEnvironmentIsHeld() {
    assertThat(OnnxEngine.environment()).isNotNull();
    assertThat(EnvironmentHold.isHeld()).isTrue();
  }

  @Test
  void aChoiceHoldsWhateverTheGpu() {
    assertThat(onGpu(Precision.FLOAT32, OptionalInt.of(9))).isEqualTo(ElementType.F32);
    assertThat(onGpu(Precision.FLOAT16, OptionalInt.of(9))).isEqualTo(ElementType.F16);
    assertThat(onGpu(Precision.BFLOAT16, OptionalInt.of(7))).isEqualTo(ElementType.BF16);
    assertThat(OnnxEngine.arithmetic(Device.cpu(), Precision.FLOAT32))
        .isEqualTo(new Arithmetic(ElementType.F32, LinearArithmetic.PLAIN));
  }

  @ParameterizedTest
  @EnumSource(mode = Mode.MATCH_ALL, names = ".*FLOAT16")
  void halvesOnTheProcessorAreRefused(Precision precision) {
    assertThatThrownBy(() -> OnnxEngine.arithmetic(Device.cpu(), precision))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("expected float32 or auto on the cpu")
        .hasMessageContaining(precision.name().toLowerCase(java.util.Locale.ROOT));
  }

  /** Whether there is a driver or not, asking does no harm. */
  @Test
  void aGpuThatIsNotThereHasNoCapability() {
    assertThat(CudaDriver.computeCapability((Device.Cuda) Device.cuda(99))).isEmpty();
  }
}
