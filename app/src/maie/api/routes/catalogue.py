"""What can be asked of this deployment: its models and templates."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from maie.api.schemas import ModelList, ModelView, TemplateList, TemplateView
from maie.api.service import Service, ServiceOf, problems
from maie.errors import TemplateNotFound
from maie.models.files import model_name
from maie.prompting.prompts import Template
from maie.settings import Settings

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/models", responses=problems(401, 500))
def models(service: ServiceOf) -> ModelList:
    """The models of this deployment."""
    settings = service.settings
    speech, language = _speech_model(settings), _language_model(settings)
    return ModelList(models=[speech] if language is None else [speech, language])


def _speech_model(settings: Settings) -> ModelView:
    if settings.asr_backend == "openai":
        return ModelView(id=settings.asr_model_name, kind="asr", engine="openai", device=None, compute_type=None)
    return ModelView(
        id=model_name(settings.asr_model),
        kind="asr",
        engine="faster-whisper",
        device=settings.asr_device,
        compute_type=settings.asr_compute_type,
    )


def _language_model(settings: Settings) -> ModelView | None:
    if settings.llm_backend == "openai":
        return ModelView(id=settings.llm_model_name, kind="llm", engine="openai", device=None, compute_type=None)
    if settings.llm_backend == "ctranslate2" and settings.llm_model is not None:
        return ModelView(
            id=model_name(settings.llm_model),
            kind="llm",
            engine="ctranslate2",
            device=settings.llm_device,
            compute_type=settings.llm_compute_type,
        )
    return None


@router.get("/templates", responses=problems(401, 500))
def templates(service: ServiceOf) -> TemplateList:
    """The templates of summaries; none where the deployment has no language model."""
    return TemplateList(templates=[_view(template) for template in service.offer.summaries().values()])


@router.get("/templates/{template_id}", responses=problems(401, 404, 500))
def template(template_id: str, service: ServiceOf) -> TemplateView:
    """One template."""
    return _view(_template(template_id, service))


@router.get("/templates/{template_id}/schema", responses=problems(401, 404, 500))
def schema(template_id: str, service: ServiceOf) -> dict[str, Any]:
    """The JSON Schema that a template's summaries fit."""
    return _template(template_id, service).schema


def _template(template_id: str, service: Service) -> Template:
    found = service.offer.summaries().get(template_id)
    if found is None:
        raise TemplateNotFound
    return found


def _view(template: Template) -> TemplateView:
    return TemplateView(
        id=template.identity,
        name=template.name,
        description=template.description,
        language=template.language,
        example=template.example,
    )
