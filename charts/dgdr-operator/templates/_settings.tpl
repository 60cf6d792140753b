{{- /* The controller's environment: the variables of dgdr_operator/settings.py, from the values. */ -}}
{{- define "dgdr-operator.settings" -}}
{{- $variables := dict
  "DYNAMO_VERSION" .Values.dynamo.version
  "REGISTRY" .Values.dynamo.registry
  "HF_SECRET" .Values.dynamo.huggingFaceSecret
  "INVENTORY_MODE" .Values.inventory.mode
  "MODEL_CACHE_CLAIM" .Values.modelCache.claim
  "MODEL_CACHE_MOUNT" .Values.modelCache.mount
  "IMAGE_PULL_SECRETS" (join "," .Values.graphs.imagePullSecrets)
  "NODE_SELECTOR" (include "dgdr-operator.pairs" .Values.graphs.nodeSelector)
  "TOLERATIONS" (join "," .Values.graphs.tolerations)
  "BENCHMARK_IMAGE" .Values.graphs.benchmarkImage
  "SEVERAL_NODES" .Values.graphs.severalNodes
  "FABRIC_PROFILE" .Values.fabric.profile
  "FABRIC_RESOURCE" .Values.fabric.resource
  "FABRIC_WITHOUT_RDMA" .Values.fabric.withoutRdma
  "FABRIC_SECURITY" .Values.fabric.security
  "FABRIC_IB_ADDRESS" .Values.fabric.ibAddress
  "FABRIC_SHARED_COUNT" (toString .Values.fabric.sharedCount)
  "FABRIC_ENV" (include "dgdr-operator.pairs" .Values.fabric.env)
-}}
{{- with .Values.modelCache.create -}}
{{- if .size -}}
{{- $_ := set $variables "MODEL_CACHE_CREATE" (printf "%s,%s,%s" .size .storageClass .accessMode) -}}
{{- end -}}
{{- end -}}
{{- range $engine := list "vllm" "sglang" "trtllm" -}}
{{- $_ := set $variables (printf "SHARED_MEMORY_%s" (upper $engine)) (get $.Values.sharedMemory $engine) -}}
{{- $_ := set $variables (printf "ENGINE_ENV_%s" (upper $engine)) (include "dgdr-operator.pairs" (get $.Values.engineEnv $engine)) -}}
{{- end -}}
{{- range $profile, $speed := .Values.fabric.bandwidth -}}
{{- $_ := set $variables (printf "FABRIC_BANDWIDTH_%s" ($profile | upper | replace "-" "_")) (toString $speed) -}}
{{- end -}}
{{- range $name, $value := $variables }}
- {name: DGDR_{{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end -}}
