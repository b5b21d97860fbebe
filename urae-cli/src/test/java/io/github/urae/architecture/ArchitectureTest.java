package io.github.urae.architecture;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaMember;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The house as docs/architecture.md draws it. */
class ArchitectureTest {

  /** What applications do not call. */
  private static final String[] NOT_FOR_APPLICATIONS = {
    "io.github.urae.cli..", "io.github.urae.testkit..", "io.github.urae.examples.."
  };

  private static JavaClasses classes;

  @BeforeAll
  static void read() {
    classes =
        new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("io.github.urae");
  }

  private static boolean isPublicFace(JavaClass type) {
    String name = type.getPackageName();
    return Stream.of("cli", "testkit", "examples", "internal", "architecture")
        .noneMatch(part -> (name + ".").contains("." + part + "."));
  }

  private static boolean isPublic(JavaMember member) {
    return member.getModifiers().contains(JavaModifier.PUBLIC)
        || member.getModifiers().contains(JavaModifier.PROTECTED);
  }

  private static Stream<JavaClass> publicTypes() {
    return classes.stream()
        .filter(ArchitectureTest::isPublicFace)
        .filter(type -> type.getModifiers().contains(JavaModifier.PUBLIC))
        .filter(type -> !type.isAnonymousClass());
  }

  @Test
  void thePublicTypesAreThoseOfTheDocumentation() throws IOException {
    String page = Files.readString(Path.of("..", "docs", "architecture.md"));
    String list = page.substring(page.indexOf("## The public face"));
    Set<String> documented =
        Pattern.compile("`([A-Z]\\w+)`")
            .matcher(list)
            .results()
            .map(match -> match.group(1))
            .collect(Collectors.toCollection(TreeSet::new));
    Set<String> compiled =
        publicTypes()
            .filter(JavaClass::isTopLevelClass)
            .map(JavaClass::getSimpleName)
            .filter(name -> !name.equals("package-info"))
            .collect(Collectors.toCollection(TreeSet::new));
    assertThat(compiled).isEqualTo(documented);
  }

  @Test
  void signaturesShowNoInternalsAndNoTypesOfLibraries() {
    publicTypes()
        .forEach(
            type -> {
              type.getAllRawSuperclasses().forEach(parent -> assertShown(type.getName(), parent));
              type.getAllRawInterfaces().forEach(parent -> assertShown(type.getName(), parent));
              for (JavaField field : type.getFields()) {
                if (isPublic(field)) {
                  field
                      .getAllInvolvedRawTypes()
                      .forEach(shown -> assertShown(field.getFullName(), shown));
                }
              }
              for (JavaCodeUnit unit : type.getCodeUnits()) {
                if (isPublic(unit)) {
                  unit.getAllInvolvedRawTypes()
                      .forEach(shown -> assertShown(unit.getFullName(), shown));
                }
              }
            });
  }

  private static void assertShown(String where, JavaClass shown) {
    String name = shown.getBaseComponentType().getPackageName();
    boolean ours = name.startsWith("io.github.urae") && isPublicFace(shown.getBaseComponentType());
    assertThat(ours || name.isEmpty() || name.startsWith("java."))
        .as("%s shows %s", where, shown.getName())
        .isTrue();
  }

  @Test
  void theCoreKnowsNoEngine() {
    noClasses()
        .that()
        .resideInAnyPackage(
            "io.github.urae",
            "io.github.urae.adapter..",
            "io.github.urae.device..",
            "io.github.urae.flux..",
            "io.github.urae.image..",
            "io.github.urae.internal..",
            "io.github.urae.tensor..",
            "io.github.urae.weights..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "ai..",
            "com.google.protobuf..",
            "com.sun.jna..",
            "org.bytedeco..",
            "io.github.urae.onnx..",
            "io.github.urae.pipeline..",
            "io.github.urae.export..")
        .check(classes);
  }

  @Test
  void internalsDoNotCallThePublicPipelines() {
    noClasses()
        .that()
        .resideInAPackage("io.github.urae.onnx.internal..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("io.github.urae.pipeline..", "io.github.urae.export..")
        .check(classes);
  }

  @Test
  void nothingDependsOnTheCommandLine() {
    noClasses()
        .that()
        .resideOutsideOfPackages(NOT_FOR_APPLICATIONS)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(NOT_FOR_APPLICATIONS)
        .check(classes);
  }

  /** A package and its own internals are one slice: the one is the other's face. */
  @Test
  void noPackagesDependOnEachOther() {
    slices()
        .assignedFrom(
            new SliceAssignment() {
              @Override
              public SliceIdentifier getIdentifierOf(JavaClass type) {
                return SliceIdentifier.of(
                    type.getPackageName()
                        .replaceFirst("(?<!onnx|flux\\.model)\\.internal\\b.*", ""));
              }

              @Override
              public String getDescription() {
                return "packages";
              }
            })
        .should()
        .beFreeOfCycles()
        .check(classes);
  }

  @Test
  void noInternalPackagesDependOnEachOther() {
    slices()
        .matching("io.github.urae.(adapter|onnx).internal.(**)")
        .should()
        .beFreeOfCycles()
        .check(classes);
  }
}
